"""Turns at workers: nobody waits for more than one piece of somebody else's work."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.askers import Askers
from services.common.pictures.turns import Turns


class Workers:
    """Turns at numbered workers, and the clients that wait for them."""

    def __init__(self, count: int, *asked: str) -> None:
        self.askers = Askers()
        for client in asked:
            self.askers.note(client)
        self.dead: set[int] = set()
        self.turns = Turns[int](count, lambda worker: worker not in self.dead, self.askers)
        for worker in range(count):
            self.turns.give(worker)
        self.tasks: list[tuple[str, asyncio.Task[int]]] = []

    async def ask(self, client: str, times: int = 1) -> None:
        """Have a client ask for workers; those that are free are handed out when this returns."""
        self.askers.note(client)
        self.tasks += [(client, asyncio.create_task(self.turns.take(client))) for _ in range(times)]
        await self.settle()

    async def settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    def held(self) -> list[tuple[str, int]]:
        """Clients with what they hold."""
        return [(client, task.result()) for client, task in self.tasks if task.done() and not task.cancelled()]

    async def give(self, place: int = 0) -> None:
        """Have a client give back what it holds."""
        _, worker = self.held()[place]
        self.tasks = [(other, task) for other, task in self.tasks if not task.done() or task.result() != worker]
        self.turns.give(worker)
        await self.settle()

    async def end(self) -> None:
        for _, task in self.tasks:
            task.cancel()
        await asyncio.gather(*(task for _, task in self.tasks), return_exceptions=True)


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_who_comes_to_a_hog_waits_for_one_piece_of_work_at_most(count: int) -> None:
    workers = Workers(count)
    await workers.ask("hog", 20)  # alone until now, it holds all
    assert workers.held() == [("hog", worker) for worker in reversed(range(count))]
    await workers.ask("other")
    await workers.give()
    assert Counter(client for client, _ in workers.held()) == Counter(hog=count - 1, other=1)
    await workers.end()


@pytest.mark.parametrize("count", [2, 4])
async def test_where_another_asked_lately_a_hog_leaves_one_worker_free(count: int) -> None:
    workers = Workers(count, "other")
    await workers.ask("hog", 20)
    assert (len(workers.held()), workers.turns.free) == (count - 1, 1)
    await workers.ask("other", 2)
    assert Counter(client for client, _ in workers.held()) == Counter(hog=count - 1, other=1)
    await workers.end()


async def test_clients_of_one_worker_take_turns() -> None:
    workers = Workers(1)
    await workers.ask("a", 3)
    await workers.ask("b", 3)
    await workers.ask("c", 1)
    served = []
    while workers.held():
        served.append(workers.held()[0][0])
        await workers.give()
    assert served == ["a", "b", "c", "a", "b", "a", "b"]


async def test_a_worker_that_died_while_it_was_free_is_not_handed_out() -> None:
    workers = Workers(2)
    workers.dead.add(1)
    await workers.ask("a", 2)
    assert workers.held() == [("a", 0)]
    workers.turns.drop(1)
    workers.turns.give(2)  # the one that replaces it
    await workers.settle()
    assert workers.held() == [("a", 0), ("a", 2)]


async def test_a_worker_that_was_killed_counts_as_its_clients_until_it_has_gone() -> None:
    workers = Workers(2, "other")
    await workers.ask("hog", 2)
    (_, worker), *_ = workers.held()
    workers.dead.add(worker)
    await workers.settle()
    assert workers.turns.free == 1
    workers.turns.drop(worker)
    workers.turns.give(2)
    await workers.settle()
    assert (len(workers.held()), workers.turns.free) == (2, 1)


async def test_a_worker_that_is_handed_out_as_its_client_gives_up_goes_to_the_next() -> None:
    workers = Workers(1)
    await workers.ask("a", 3)
    (_, worker), *_ = workers.held()
    workers.turns.give(worker)
    workers.tasks[1][1].cancel()  # it has the worker, and does not know yet
    await workers.settle()
    assert [task.done() and not task.cancelled() for _, task in workers.tasks] == [True, False, True]


STEPS = st.lists(st.tuples(st.sampled_from(["ask", "give", "leave"]), st.integers(0, 3)), max_size=40)


@given(st.integers(1, 4), STEPS)
def test_workers_are_held_once_and_never_idle_beyond_the_one_that_is_kept(
    count: int, steps: list[tuple[str, int]]
) -> None:
    async def play() -> None:
        workers = Workers(count)
        for step, number in steps:
            workers.tasks = [(client, task) for client, task in workers.tasks if not task.cancelled()]
            waiting = [task for _, task in workers.tasks if not task.done()]
            if step == "ask":
                await workers.ask("abcd"[number])
            elif step == "give" and workers.held():
                await workers.give(number % len(workers.held()))
            elif step == "leave" and waiting:
                waiting[number % len(waiting)].cancel()
                await workers.settle()
            held = [worker for _, worker in workers.held()]
            assert len(held) == len(set(held)) == count - workers.turns.free
            if any(not task.done() for _, task in workers.tasks):
                assert workers.turns.free <= 1
        await workers.end()

    asyncio.run(play())
