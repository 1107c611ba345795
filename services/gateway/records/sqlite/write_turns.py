"""Turns of processes at writing to one SQLite file: who waits is woken when the one before is done.

SQLite itself has whoever finds its file locked sleep, longer each time, and look again: with several processes the file
lies idle while all sleep, and some wait for much longer than others.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

_SUFFIX: Final = ".turn"
_log = structlog.get_logger(__name__)


class WriteTurns:
    """One process's part in the turns; for one thread.

    The turns only order who writes: SQLite's own lock still keeps writers apart, those among them that take no turns.
    The system takes a turn back from a process that ends.

    Args:
        database: SQLite's file; the turns are a lock on an empty file beside it, which may be deleted at any time.
    """

    def __init__(self, database: Path) -> None:
        # Never a lock on the database: to close a second descriptor of it would drop SQLite's own locks (POSIX).
        self._path = database.with_name(database.name + _SUFFIX)
        self._descriptor: int | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for this process's turn and have it for the length of a block; without one where no file can be made."""
        descriptor = self._opened()
        if descriptor is None:
            yield
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int | None:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                _log.warning("records are written without turns", reason=str(error))
        return self._descriptor
