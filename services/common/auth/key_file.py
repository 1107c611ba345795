"""The file of keys: read, and changed by one program at a time."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from prompt4trust.files import write_atomically
from services.common.auth.errors import KeysError
from services.common.auth.key import Key, KeyFile

_PRIVATE = 0o600


def read_keys(path: Path) -> KeyFile:
    """Read a file of keys.

    Raises:
        KeysError: If it is not there, cannot be read, or does not hold keys.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeysError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    try:
        return KeyFile.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise KeysError(f"{path} does not hold keys: {f'{place}: ' if place else ''}{first['msg']}") from None


def change_keys(path: Path, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> None:
    """Change a file of keys in one step, so that who reads it meanwhile sees the old or the new.

    Args:
        path: The file; a new one is made where there is none, readable by its maker alone. One that is there keeps
            its permissions.
        change: The keys that were there -> those that are to be there.

    Raises:
        KeysError: If what is there cannot be read: it is then left alone.
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The directory is locked and not the file, which is replaced.
    lock = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = path.exists()
        mode = stat.S_IMODE(path.stat().st_mode) if there else _PRIVATE
        keys = change(read_keys(path).keys if there else ())
        write_atomically(path, KeyFile(keys=keys).model_dump_json(indent=2, exclude_none=True) + "\n", mode)
    finally:
        os.close(lock)
