"""active.json: the names of what is live in a registry."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from prompt4trust.checksums import CHECKSUM, checked, checksum_of
from prompt4trust.files import write_atomically
from services.common.registry.activations import HISTORY, latest_by_key, read_activations
from services.common.registry.errors import RegistryError

ACTIVE: Final = "active.json"
"""Name of the file, below a registry's directory."""


class ActiveFile:
    """The file that names what is live below a registry's directory.

    Args:
        root: The directory; it is made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / ACTIVE

    def policy(self) -> str | None:
        """Name the live policy version, or None where none was activated.

        Raises:
            RegistryError: If the file is not what this class writes.
        """
        version = self._read().get("policy")
        return version if isinstance(version, str) else None

    def calibrators(self) -> Mapping[str, str]:
        """Name the calibrators that were made live: a calibration key as text -> a calibrator's name.

        Raises:
            RegistryError: If the file is not what this class writes.
        """
        named = self._read().get("calibrators", {})
        if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
            raise RegistryError("active.json's calibrators are not names by pair")
        return named

    def stamp(self) -> tuple[int, int, int] | None:
        """Summarise the file cheaply (inode, mtime in ns, size): it changes with every write; None without one."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Give the file's content to change, and write it; other processes wait, so that no change is lost."""
        self._root.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._root, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                active = dict(self._read())
            except RegistryError:
                # Naming what is live is also how a spoilt file is mended; the others' names are in the history.
                active = {"calibrators": latest_by_key(read_activations(self._root / HISTORY))}
            yield active
            content = {name: value for name, value in active.items() if name != CHECKSUM}
            write_atomically(self._path, json.dumps({**content, CHECKSUM: checksum_of(content)}, indent=2) + "\n")
        finally:
            os.close(lock)

    def _read(self) -> Mapping[str, Any]:
        try:
            loaded = checked(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise RegistryError(f"active.json cannot be read: {error}") from error
        if not isinstance(loaded, dict):
            raise RegistryError("active.json does not hold an object")
        return loaded


def named_calibrators(active: Mapping[str, Any]) -> dict[str, str]:
    """Take the calibrators' names by calibration key out of active.json's content; none where that is spoilt."""
    named = active.get("calibrators")
    return {key: name for key, name in named.items() if isinstance(name, str)} if isinstance(named, dict) else {}
