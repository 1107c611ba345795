"""Group commits: who shares one, who waits for it and how long, and what becomes of records that find no database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from services.common.metrics_registry import MetricsRegistry
from services.gateway.records.errors import RecordRefusedError, RecordsAwayError
from services.gateway.records.metrics import RecordMetrics
from services.gateway.records.record import Record
from services.gateway.records.writer import RecordWriter
from tests.services.gateway.records.conftest import record
from tests.support.waiting import until


class Shelf:
    """A place for records that is slow or away when told, and notes what was written together."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.tried = 0
        self.is_away = False
        self.refused: set[str] = set()
        self.open = anyio.Event()
        self.open.set()
        self.began = anyio.Event()

    async def add(self, records: Sequence[Record]) -> None:
        self.tried += 1
        self.began.set()
        await self.open.wait()
        if self.is_away:
            raise RecordsAwayError("gone")
        names = [each.id for each in records]
        if self.refused & set(names):
            raise RecordRefusedError("DataError")
        self.groups.append(names)


class Counts:
    def __init__(self) -> None:
        self.registry = MetricsRegistry()
        self.metrics = RecordMetrics(self.registry)

    def __call__(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("gateway_records_total", {"outcome": outcome})


@asynccontextmanager
async def writing(shelf: Shelf, counts: Counts, **chosen: Any) -> AsyncIterator[RecordWriter]:
    writer = RecordWriter(shelf, counts.metrics, **{"deadline_s": 20.0, "max_waiting": 100, **chosen})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.run)
        yield writer
        await writer.close(20)


async def test_what_comes_during_a_commit_shares_the_next() -> None:
    shelf, counts = Shelf(), Counts()
    records = [record() for _ in range(6)]
    stored: list[bool] = []
    shelf.open = anyio.Event()
    async with writing(shelf, counts) as writer, anyio.create_task_group() as tasks:

        async def write(each: Record) -> None:
            stored.append(await writer.write(each))

        tasks.start_soon(write, records[0])
        await shelf.began.wait()
        for each in records[1:]:
            tasks.start_soon(write, each)
        await anyio.wait_all_tasks_blocked()
        assert stored == []
        assert counts.registry.get_sample_value("gateway_records_waiting") == 6
        shelf.open.set()
    assert stored == [True] * 6
    assert shelf.groups == [[records[0].id], [each.id for each in records[1:]]]
    assert counts("stored") == 6
    assert counts("late") == counts("lost") == 0
    assert counts.registry.get_sample_value("gateway_records_waiting") == 0


async def test_only_the_first_answer_waits_for_a_database_that_is_too_slow() -> None:
    shelf, counts = Shelf(), Counts()
    shelf.open = anyio.Event()
    async with writing(shelf, counts, deadline_s=0.02) as writer:
        assert await writer.write(record()) is False
        assert writer.is_away
        with anyio.fail_after(0.01):  # no deadline of its own
            assert await writer.write(record()) is False
        shelf.open.set()
    # Both were stored after all, and nobody was told.
    assert sum(map(len, shelf.groups)) == 2
    assert counts("late") == 2
    assert not writer.is_away


async def test_what_is_over_before_the_deadline_is_not_noticed() -> None:
    shelf, counts = Shelf(), Counts()
    shelf.is_away = True
    stored: list[bool] = []
    async with writing(shelf, counts) as writer, anyio.create_task_group() as tasks:

        async def write() -> None:
            stored.append(await writer.write(record()))

        for _ in range(3):
            tasks.start_soon(write)
        await until(lambda: shelf.tried > 1)
        shelf.is_away = False
    assert stored == [True] * 3
    assert (counts("stored"), counts("late")) == (3, 0)


async def test_records_stay_in_line_while_the_database_is_away_and_are_stored_once_it_is_back() -> None:
    shelf, counts = Shelf(), Counts()
    shelf.is_away = True
    records = [record() for _ in range(3)]
    async with writing(shelf, counts, deadline_s=0.5) as writer:
        assert [await writer.write(each) for each in records] == [False] * 3
        assert writer.is_away
        shelf.is_away = False
        await until(lambda: not writer.waiting)
        assert await writer.write(record())
        assert [writer.is_away] == [False]
    assert [name for group in shelf.groups[:-1] for name in group] == [each.id for each in records]
    assert (counts("late"), counts("stored"), counts("lost")) == (3, 1, 0)


async def test_the_line_is_bounded_in_records_and_in_memory() -> None:
    for bound in ({"max_waiting": 2}, {"max_bytes": 2 * record().size}):
        shelf, counts = Shelf(), Counts()
        shelf.is_away = True
        async with writing(shelf, counts, deadline_s=0.02, **bound) as writer:
            assert [await writer.write(record()) for _ in range(5)] == [False] * 5
            assert writer.waiting == 2
            assert counts("lost") == 3
            shelf.is_away = False
        assert sum(map(len, shelf.groups)) == 2


async def test_one_that_is_refused_is_lost_alone_and_the_next_ones_are_stored() -> None:
    shelf, counts = Shelf(), Counts()
    good, bad, other = record(), record(), record()
    shelf.refused = {bad.id}
    shelf.open = anyio.Event()
    stored: dict[str, bool] = {}
    async with writing(shelf, counts) as writer, anyio.create_task_group() as tasks:

        async def write(each: Record) -> None:
            stored[each.id] = await writer.write(each)

        for each in (good, bad, other):
            tasks.start_soon(write, each)
        await anyio.wait_all_tasks_blocked()
        shelf.open.set()
    assert stored == {good.id: True, bad.id: False, other.id: True}
    assert (counts("stored"), counts("lost")) == (2, 1)
    assert not writer.is_away


async def test_the_end_waits_for_what_is_in_line_but_not_for_ever() -> None:
    shelf, counts = Shelf(), Counts()
    shelf.is_away = True
    writer = RecordWriter(shelf, counts.metrics, deadline_s=0.02, max_waiting=100)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.run)
        assert await writer.write(record()) is False
        await writer.close(0.02)
        tasks.cancel_scope.cancel()
    assert counts("lost") == 1
