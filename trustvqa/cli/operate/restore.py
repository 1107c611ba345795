"""The return of a backup to its place: all is unpacked beside it and checked before anything there is touched."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from prompt4trust.files import sync_directory
from trustvqa.cli.errors import CopyError, RestoreRefusedError
from trustvqa.cli.operate.archive import RECORDS, REGISTRY, Manifest, Readable, read_archive
from trustvqa.cli.operate.backup_sources import state_of

_STAGING, _REPLACED = ".restore-", ".replaced-"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Storage:
    """The places of records and registry.

    Attributes:
        registry: The registry's directory.
        records: SQLite's file, or None to leave the records alone.
    """

    registry: Path
    records: Path | None


def check(stream: IO[bytes]) -> Manifest:
    """Read a backup to its end.

    Raises:
        ArchiveError: If it is not whole.
    """
    return read_archive(stream, lambda *_: None)


def restore_into(stream: IO[bytes], storage: Storage, *, replace: bool) -> Manifest:
    """Put a backup's records and registry in their places.

    Args:
        stream: The backup.
        storage: Where they belong.
        replace: Whether what is there may go.

    Returns:
        The backup's content.

    Raises:
        ArchiveError: If it is not whole; nothing was changed.
        RestoreRefusedError: If something is there that may not go, is in use, or the backup lacks what is asked of it.
        OSError: If the places cannot be written.
    """
    _refuse_to_overwrite(storage, replace=replace)
    with ExitStack() as stack:
        registry = stack.enter_context(_staging(storage.registry))
        beside = None if storage.records is None else stack.enter_context(_staging(storage.records.parent))
        manifest = _unpack(stream, registry, beside)
        if storage.records is not None and beside is not None:
            if manifest.records is None:
                raise RestoreRefusedError("the backup holds no records; --no-records restores the registry alone")
            with contextlib.closing(sqlite3.connect(beside / RECORDS)) as connection:
                try:
                    state_of(connection)
                except CopyError as error:
                    raise RestoreRefusedError(str(error)) from error
            if storage.records.exists():
                _close_down(storage.records)
            (beside / RECORDS).chmod(0o600)
            (beside / RECORDS).replace(storage.records)
            sync_directory(storage.records.parent)
        _swap(storage.registry, registry)
    return manifest


def _refuse_to_overwrite(storage: Storage, *, replace: bool) -> None:
    if replace:
        return
    if storage.registry.is_dir() and any(_visible(storage.registry)):
        raise RestoreRefusedError(f"the registry {storage.registry} is not empty; --replace replaces what is there")
    if storage.records is not None and storage.records.exists():
        raise RestoreRefusedError(f"there are records at {storage.records}; --replace replaces them")


@contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_STAGING, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(stream: IO[bytes], registry: Path, beside: Path | None) -> Manifest:
    def put(name: str, mode: int, content: Readable) -> None:
        folder, place = (beside, RECORDS) if name == RECORDS else (registry, name.removeprefix(REGISTRY))
        if folder is None:
            return
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file, _PIECE)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())

    return read_archive(stream, put)


def _close_down(file: Path) -> None:
    """Bring what SQLite keeps beside its file into it, which only the last one to use it can do.

    Raises:
        RestoreRefusedError: If somebody else uses it.
    """
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise RestoreRefusedError(f"{file} is in use: stop the gateway first") from error
        raise
    except sqlite3.DatabaseError:
        # Broken, which is what backups are for.
        for end in ("-wal", "-shm"):
            Path(f"{file}{end}").unlink(missing_ok=True)


def _swap(root: Path, staging: Path) -> None:
    """Put a registry's files in the places of those that are there, active.json last: until then nothing names them."""
    lock = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        old = Path(tempfile.mkdtemp(prefix=_REPLACED, dir=root))
        last = "active.json"
        away = [(path, old / path.name) for path in sorted(_visible(root), key=lambda each: each.name != last)]
        there = [(path, root / path.name) for path in sorted(_visible(staging), key=lambda each: each.name == last)]
        _rename_all([*away, *there])
        sync_directory(root)
    finally:
        os.close(lock)
    for leftover in root.glob(f"{_REPLACED}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _rename_all(renames: list[tuple[Path, Path]]) -> None:
    """Rename one after the other, and back where one cannot be."""
    for done, (source, target) in enumerate(renames):
        try:
            source.rename(target)
        except OSError:
            for earlier, later in reversed(renames[:done]):
                later.rename(earlier)
            raise


def _visible(folder: Path) -> list[Path]:
    # At the root of a volume of its own stands what the file system put there.
    return [path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "lost+found"]
