"""The connection to a database: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.gateway.records.migrations.upgrading import OlderDatabaseError, check, upgrade

_WRITES = "trustvqa_writes"
_CONNECT_S = 3
_CONNECTIONS = 4
# Any number that other software is unlikely to lock as well.
_MIGRATING, _REVIEWING = 7_412_001, 7_412_002


class Database:
    """Connections to one database.

    Args:
        url: Its address, from `database_url`.
        timeout_s: Longest wait for a lock of SQLite's, or for a free connection.
        upgrades: Whether `prepare` may bring the tables up to date, and does not just look at them.
    """

    def __init__(self, url: URL, timeout_s: float, *, upgrades: bool = True) -> None:
        self._upgrades = upgrades
        self._file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        arguments: dict[str, Any] = (
            # The driver is to begin no transactions of its own: see _begin.
            {"isolation_level": None, "timeout": timeout_s}
            if self._file is not None
            else {"connect_timeout": _CONNECT_S}
        )
        self.engine: AsyncEngine = create_async_engine(
            url,
            connect_args=arguments,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=timeout_s,
            # A server that was restarted leaves dead connections behind.
            pool_pre_ping=self._file is None,
        )
        self._opened: tuple[int, int] | None = None
        if self._file is not None:
            event.listen(self.engine.sync_engine, "connect", self._note_file)
            event.listen(self.engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin)

    @property
    def file(self) -> Path | None:
        """SQLite's file, or None for PostgreSQL."""
        return self._file

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Hold a connection for a block that changes nothing."""
        await self._leave_what_was_moved()
        async with self.engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Hold a transaction for the length of a block; it is committed at its end."""
        await self._leave_what_was_moved()
        async with self.engine.execution_options(**{_WRITES: True}).begin() as connection:
            yield connection

    @asynccontextmanager
    async def reviewing(self) -> AsyncIterator[AsyncConnection]:
        """Hold a transaction that none of its kind runs beside, by any gateway; committed at the block's end."""
        async with self.writing() as connection:
            await self._lock(connection, _REVIEWING)
            yield connection

    async def prepare(self) -> None:
        """See that the tables are what this version of the software works with.

        Raises:
            OlderDatabaseError: If they are not, and may not be changed from here.
            NewerDatabaseError: If a newer version of the software has used the database.
            OSError: If the file or its folder cannot be made.
        """
        if self._upgrades:
            await self.migrate()
            return
        if self._file is not None and not self._file.exists():
            raise OlderDatabaseError("there is no file of records yet: python -m services.gateway.records upgrade")
        async with self.reading() as connection:
            await connection.run_sync(check)

    async def migrate(self) -> None:
        """Bring the tables up to date; several gateways may do so at once.

        Raises:
            NewerDatabaseError: If a newer version of the software has used the database.
            OSError: If the file or its folder cannot be made.
        """
        if self._file is not None:
            _make_private(self._file)
        async with self.writing() as connection:
            await self._lock(connection, _MIGRATING)
            await connection.run_sync(upgrade)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    def _note_file(self, *_: object) -> None:
        if self._file is not None:
            self._opened = _identity(self._file)

    async def _leave_what_was_moved(self) -> None:
        """Let go of SQLite's file where another lies in its place: what is written to one that was deleted is lost.

        Raises:
            FileNotFoundError: If none lies there. SQLite would make an empty one, and answers would go on unrecorded
                for a reason that is harder to see.
        """
        if self._file is not None and self._opened is not None and _identity(self._file) != self._opened:
            await self.engine.dispose()

    async def _lock(self, connection: AsyncConnection, number: int) -> None:
        # A transaction of SQLite's that writes has the database to itself; see _begin.
        if self._file is None:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino


def _make_private(file: Path) -> None:
    """Make an empty file that its owner alone may read; SQLite gives its journal the same permissions."""
    file.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))


def _set_up_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # Readers and the writer do not wait for each other; a commit is on the disk when it returns; what is deleted or
    # replaced does not stay readable in the file.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that begins as a reader cannot always become a writer: those that will write say so at once.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
