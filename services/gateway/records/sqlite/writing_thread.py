"""The one thread of a process that writes to SQLite's file: a whole transaction at each hand-over.

aiosqlite, by which the file is read, hands each statement, cursor and commit to its thread and back: of a record's few
statements that was most of what they cost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from services.gateway.records.sqlite.opened_file import WRITES, OpenedFile
from services.gateway.records.sqlite.write_turns import WriteTurns

T = TypeVar("T")

_CLOSING_S: Final = 5.0


class _GivenUpError(Exception):
    """Nobody waits for the transaction any more; it is rolled back."""


class _Job:
    """A transaction to make, and the one who waits for it."""

    def __init__(self, work: Callable[[Connection], Any] | None) -> None:
        self.work = work
        """Done in the transaction; None ends the thread."""
        self.loop = asyncio.get_running_loop()
        self.result: asyncio.Future[Any] = self.loop.create_future()
        self.is_given_up = False


class WritingThread:
    """Writes to SQLite's file; for one event loop.

    The thread is started with the first transaction, and holds no process up that ends.

    Args:
        url: The file's address.
        timeout_s: Longest wait for a lock of SQLite's.
    """

    def __init__(self, url: URL, timeout_s: float) -> None:
        self._engine = create_engine(
            url.set(drivername="sqlite"),
            # The driver is to begin no transactions of its own: see OpenedFile.
            connect_args={"isolation_level": None, "timeout": timeout_s, "check_same_thread": False},
            poolclass=NullPool,
        )
        # Kept from one transaction to the next: to take it from a pool and to give it back costs as much as to write.
        self._connection: Connection | None = None
        path = Path(url.database or "")
        self._file = OpenedFile(path, self._engine)
        self._turns = WriteTurns(path)
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        # One at a time: what its caller has given up may still be under way, and those behind it wait in their loop.
        self._free = asyncio.Lock()
        self._thread: Thread | None = None

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Make one transaction that writes; cancelled, it is rolled back if it is not yet being committed.

        Args:
            work: What is done in it, in the thread.

        Returns:
            The work's result, once it is on the disk.

        Raises:
            FileNotFoundError: If there is no file.
            Exception: What the work or SQLAlchemy raised; nothing was changed then.
        """
        result: T = await self._done(work)
        return result

    async def aclose(self) -> None:
        """End the thread and close its connection; not for ever."""
        if self._thread is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING_S):
                    await self._done(None)
            self._thread = None

    async def _done(self, work: Callable[[Connection], T] | None) -> Any:
        await self._free.acquire()
        try:
            if self._thread is None:
                thread = Thread(target=self._run, name="records-writer", daemon=True)
                thread.start()
                self._thread = thread
            job = _Job(work)
        except BaseException:
            self._free.release()
            raise
        self._jobs.put(job)  # from here on `_settle` frees the place
        try:
            return await job.result
        except asyncio.CancelledError:
            job.is_given_up = True
            raise

    def _run(self) -> None:
        is_last = False
        while not is_last:
            job = self._jobs.get()
            is_last = job.work is None
            result, error = None, None
            try:
                if job.work is None:
                    self._disconnect()
                    self._turns.close()
                else:
                    result = self._transaction(job, job.work)
            except Exception as raised:  # noqa: BLE001, RUF100 - it is its caller's
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits
                job.loop.call_soon_threadsafe(self._settle, job, result, error)
            del job, result, error  # nothing is held while the thread waits

    def _transaction(self, job: _Job, work: Callable[[Connection], T]) -> T:
        if self._file.was_moved():
            self._disconnect()
        try:
            with self._turns.taken():
                connection = self._connected()
                with connection.begin():
                    result = work(connection)
                    if job.is_given_up:
                        raise _GivenUpError
                    return result
        except SQLAlchemyError:
            self._disconnect()  # whatever state the connection is in
            raise

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(**{WRITES: True})
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _settle(self, job: _Job, result: Any, error: Exception | None) -> None:
        self._free.release()
        if job.result.done():
            return
        if error is None:
            job.result.set_result(result)
        else:
            job.result.set_exception(error)
