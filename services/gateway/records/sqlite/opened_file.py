"""The file behind an engine's connections: how each is set up, and whether another file lies in its place by now."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

WRITES: Final = "trustvqa_writes"
"""Execution option of connections whose transactions write."""


class OpenedFile:
    """SQLite's file as one engine has opened it.

    Args:
        path: The file.
        engine: Its connections are set up from here on; its driver is to begin no transactions of its own.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._opened: tuple[int, int] | None = None
        event.listen(engine, "connect", self._note)
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)

    @property
    def is_open(self) -> bool:
        """Whether a connection was made."""
        return self._opened is not None

    def was_moved(self) -> bool:
        """Whether another file lies in the place of the one that was opened: what is written to that one is lost.

        Raises:
            FileNotFoundError: If none lies there. SQLite would make an empty one, and answers would go on unrecorded
                for a reason that is harder to see.
        """
        found = _identity(self.path)
        return self._opened is not None and found != self._opened

    def _note(self, *_: object) -> None:
        self._opened = _identity(self.path)


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino


def _set_up(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # Readers and the writer do not wait for each other; a commit is on the disk when it returns; what is deleted or
    # replaced does not stay readable in the file.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that begins as a reader cannot always become a writer: those that will write say so at once.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
