"""Atomic writes of files and directories, which a reader never sees half done."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def written_atomically(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Open a stream whose content takes a file's place in one step, once all of it is on the disk.

    Args:
        path: The file; its directory is made if needed. It stays as it was if the block fails.
        mode: The file's permissions, such as 0o644, or None for its maker's alone.

    Raises:
        OSError: If the directory cannot be written; the old content then stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_atomically(path: Path, text: str, mode: int | None = None) -> None:
    """Replace a file's content with a text in UTF-8, in one step (see written_atomically)."""
    with written_atomically(path, mode) as stream:
        stream.write(text.encode())


def copy_directory_atomically(source: Path, target: Path) -> None:
    """Copy a directory so that it appears under its name complete or not at all.

    Args:
        source: Directory to copy.
        target: New name, which must not exist.

    Raises:
        FileExistsError: If the target exists.
        OSError: If copying fails; nothing is then left under the target's name.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        shutil.copytree(source, temporary, dirs_exist_ok=True)
        temporary.chmod(0o755)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_directory(target.parent)


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
