"""The connection to a database: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.gateway.records.migrations.upgrading import OlderDatabaseError, check, upgrade
from services.gateway.records.sqlite.opened_file import OpenedFile
from services.gateway.records.sqlite.writing_thread import WritingThread

T = TypeVar("T")

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
            # The driver is to begin no transactions of its own: see OpenedFile.
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
        self._opened = self._writer = None
        if self._file is not None:
            self._opened = OpenedFile(self._file, self.engine.sync_engine)
            self._writer = WritingThread(url, timeout_s)

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

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do work in one transaction.

        Args:
            work: What is done; for SQLite in a thread, so that it may block.

        Returns:
            The work's result, once it is committed; what the work raises is raised, and nothing is changed.
        """
        if self._writer is not None:
            return await self._writer.transact(work)
        async with self.engine.begin() as connection:
            return await connection.run_sync(work)

    async def review(self, work: Callable[[Connection], T]) -> T:
        """Do work in one transaction that none of its kind runs beside, by any gateway; see `write`."""
        return await self.write(partial(self._alone, _REVIEWING, work))

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
        await self.write(partial(self._alone, _MIGRATING, upgrade))

    async def close(self) -> None:
        """Close all connections."""
        if self._writer is not None:
            await self._writer.aclose()
        await self.engine.dispose()

    async def _leave_what_was_moved(self) -> None:
        if self._opened is not None and self._opened.is_open and self._opened.was_moved():
            await self.engine.dispose()

    def _alone(self, number: int, work: Callable[[Connection], T], connection: Connection) -> T:
        # A transaction of SQLite's that writes has the database to itself.
        if self._file is None:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
        return work(connection)


def _make_private(file: Path) -> None:
    """Make an empty file that its owner alone may read; SQLite gives its journal the same permissions."""
    file.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
