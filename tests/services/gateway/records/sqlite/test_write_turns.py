"""Turns at writing: one at a time, whoever waits is woken, and an ended process holds nobody up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

from services.gateway.records.sqlite.write_turns import WriteTurns
from tests.support.waiting import wait_until

TAKING = """
import sys, time
from pathlib import Path
from services.gateway.records.sqlite.write_turns import WriteTurns

with WriteTurns(Path(sys.argv[1])).taken():
    print("taken", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def is_waited_for(database: Path) -> bool:
    """Whether somebody waits for the turn, by the system's own list of locks."""
    inode = database.with_name("records.db.turn").stat().st_ino
    return any("->" in line and f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the system does not list its locks")
def test_turns_are_taken_one_after_the_other(database: Path, threads: ThreadPoolExecutor) -> None:
    held: SimpleQueue[str] = SimpleQueue()

    def second() -> None:
        with WriteTurns(database).taken():
            held.put("second")

    with WriteTurns(database).taken():
        waiting = threads.submit(second)
        wait_until(lambda: is_waited_for(database))
        held.put("first")
    waiting.result(10)
    assert [held.get(), held.get()] == ["first", "second"]


def test_the_turn_of_a_process_that_is_killed_comes_free(database: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", TAKING, str(database)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        process.kill()
    with WriteTurns(database).taken():
        pass


def test_where_no_file_can_be_made_there_are_no_turns(tmp_path: Path) -> None:
    turns, reached = WriteTurns(tmp_path / "missing" / "records.db"), False
    with turns.taken():
        reached = True
    turns.close()
    assert reached
