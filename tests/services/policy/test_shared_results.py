"""Results that are made once and shared."""

from __future__ import annotations

import asyncio

import pytest

from services.policy.shared_results import SharedResults
from tests.support.waiting import until


class Maker:
    """Makes numbered results when told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.cancelled = 0
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return number


async def started(maker: Maker, calls: int) -> None:
    await until(lambda: maker.calls >= calls)


async def test_overlapping_requests_share_one_result_and_later_ones_find_it() -> None:
    shared: SharedResults[int] = SharedResults(10, 60)
    make = Maker()
    callers = [asyncio.create_task(shared.get("key", make)) for _ in range(50)]
    await started(make, 1)
    make.go.set()
    results = await asyncio.gather(*callers)
    assert make.calls == 1
    assert [value for value, _ in results] == [1] * 50
    assert [for_other for _, for_other in results].count(False) == 1
    assert await shared.get("key", make) == (1, True)
    assert await shared.get("other", make) == (2, False)


async def test_a_caller_that_gives_up_does_not_spoil_it_for_the_others() -> None:
    shared: SharedResults[int] = SharedResults(10, 60)
    make = Maker()
    first = asyncio.create_task(shared.get("key", make))
    await started(make, 1)
    second = asyncio.create_task(shared.get("key", make))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    make.go.set()
    assert await second == (1, True)
    assert make.cancelled == 0


async def test_when_the_last_caller_gives_up_the_work_is_stopped_and_the_next_begins_anew() -> None:
    shared: SharedResults[int] = SharedResults(10, 60)
    make = Maker()
    callers = [asyncio.create_task(shared.get("key", make)) for _ in range(2)]
    await started(make, 1)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    make.go.set()
    assert await shared.get("key", make) == (2, False)
    assert make.cancelled == 1


async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    shared: SharedResults[int] = SharedResults(10, 60)
    calls = 0

    async def fail() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise ValueError("no")

    found = await asyncio.gather(*(shared.get("key", fail) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in found] == [ValueError] * 3
    assert calls == 1
    with pytest.raises(ValueError, match="no"):
        await shared.get("key", fail)
    assert calls == 2


async def test_the_cache_is_bounded_and_drops_the_least_recently_used() -> None:
    shared: SharedResults[int] = SharedResults(3, 60)
    make = Maker()
    make.go.set()
    for key in range(3):
        await shared.get(key, make)
    await shared.get(0, make)  # 1 is now the one that nobody asked for longest
    for key in range(3, 100):
        await shared.get(key, make)
        assert len(shared) <= 3
        assert await shared.get(0, make) == (1, True)
    before = make.calls
    await shared.get(1, make)
    assert make.calls == before + 1


async def test_results_are_kept_for_their_time_only() -> None:
    now = 0.0
    shared: SharedResults[int] = SharedResults(10, 60, clock=lambda: now)
    make = Maker()
    make.go.set()
    assert await shared.get("key", make) == (1, False)
    now = 59.9
    assert await shared.get("key", make) == (1, True)
    now = 60.1
    assert await shared.get("key", make) == (2, False)


async def test_a_cache_of_no_entries_still_shares_work_in_progress() -> None:
    shared: SharedResults[int] = SharedResults(0, 60)
    make = Maker()
    callers = [asyncio.create_task(shared.get("key", make)) for _ in range(5)]
    await started(make, 1)
    make.go.set()
    assert {value for value, _ in await asyncio.gather(*callers)} == {1}
    assert await shared.get("key", make) == (2, False)
