"""Transactions in a thread of their own: all or nothing, one at a time, and into the file that lies there now."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from services.gateway.database_url import database_url
from services.gateway.records.sqlite.write_turns import WriteTurns
from services.gateway.records.sqlite.writing_thread import WritingThread


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "records.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (said TEXT)")
    return path


@pytest.fixture
async def thread(file: Path) -> AsyncIterator[WritingThread]:
    made = WritingThread(database_url(f"sqlite:///{file}"), timeout_s=0.05)
    yield made
    await made.aclose()


def notes(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [said for (said,) in connection.execute("SELECT said FROM notes ORDER BY rowid")]


def note(connection: Connection, said: str = "one") -> str:
    connection.execute(text("INSERT INTO notes VALUES (:said)"), {"said": said})
    return said


async def test_a_transaction_is_there_when_its_result_is(thread: WritingThread, file: Path) -> None:
    assert await thread.transact(note) == "one"
    assert notes(file) == ["one"]
    await thread.aclose()
    assert await thread.transact(lambda connection: note(connection, "after closing")) == "after closing"


async def test_what_fails_changes_nothing_and_the_next_one_works(thread: WritingThread, file: Path) -> None:
    def failing(connection: Connection) -> None:
        note(connection)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await thread.transact(failing)
    with pytest.raises(OperationalError, match="no such table"):
        await thread.transact(lambda connection: connection.execute(text("INSERT INTO elsewhere VALUES (1)")))
    assert notes(file) == []
    await thread.transact(note)
    assert notes(file) == ["one"]


async def test_what_is_given_up_is_rolled_back_and_others_wait_until_then(thread: WritingThread, file: Path) -> None:
    began, may_end = asyncio.Event(), Event()
    loop = asyncio.get_running_loop()

    def slow(connection: Connection) -> None:
        note(connection, "given up")
        loop.call_soon_threadsafe(began.set)
        may_end.wait(10)

    given_up = asyncio.create_task(thread.transact(slow))
    await began.wait()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    with pytest.raises(TimeoutError):  # the event loop goes on, and so does the thread
        async with asyncio.timeout(0.01):
            await thread.transact(note)
    may_end.set()
    await thread.transact(lambda connection: note(connection, "later"))
    assert notes(file) == ["later"]


async def test_another_process_may_hold_the_turn_or_the_file_for_too_long(thread: WritingThread, file: Path) -> None:
    with WriteTurns(file).taken(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await thread.transact(note)
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"):
            await thread.transact(note)
    await thread.transact(lambda connection: note(connection, "then"))
    assert notes(file) == ["then"]


def replace(file: Path, by: Path) -> None:
    """Put another file in a file's place, as a restored backup is."""
    by.rename(file)
    for leftover in ("-wal", "-shm"):
        file.with_name(file.name + leftover).unlink(missing_ok=True)


async def test_the_file_that_lies_there_now_is_written_to(thread: WritingThread, file: Path, tmp_path: Path) -> None:
    restored, moved = tmp_path / "restored.db", tmp_path / "moved.db"
    shutil.copy(file, restored)
    await thread.transact(note)
    shutil.move(file, moved)
    with pytest.raises(FileNotFoundError):
        await thread.transact(note)
    replace(file, restored)
    await thread.transact(lambda connection: note(connection, "restored"))
    assert notes(file) == ["restored"]
