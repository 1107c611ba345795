"""Turns at a few workers: no client keeps another waiting for longer than one piece of work takes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.common.askers import Askers

Worker = TypeVar("Worker", bound=Hashable)


@dataclass(eq=False, slots=True)
class _Waiting(Generic[Worker]):
    client: str
    worker: asyncio.Future[Worker] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns(Generic[Worker]):
    """Hands workers to clients in turn.

    A free worker goes to who waits and holds the fewest; of several such, to the one whose last turn is longest ago.
    Where another client asked lately, none may hold all of them, so that the other finds one free, however long the
    work takes. A client that is alone may hold all.

    Args:
        places: Workers that there are when none is being replaced.
        usable: Whether a worker that is free can still be handed out.
        askers: Who asked lately; whoever asks for a worker is noted there first.
    """

    def __init__(self, places: int, usable: Callable[[Worker], bool], askers: Askers) -> None:
        self._places = places
        self._usable = usable
        self._askers = askers
        self._free: list[Worker] = []  # the last one is handed out first: its memory is warm
        self._held: dict[Worker, str] = {}
        self._waiting: list[_Waiting[Worker]] = []  # the longest first
        self._turns: dict[str, int] = {}  # of those who wait or hold: number of the last turn
        self._count = 0

    @property
    def free(self) -> int:
        """Workers that nobody holds."""
        return len(self._free)

    async def take(self, client: str) -> Worker:
        """Wait for a worker and hold it, until `give` or `drop` is told of it."""
        waiting = _Waiting[Worker](client)
        self._waiting.append(waiting)
        self._hand_out()
        try:
            return await waiting.worker
        except asyncio.CancelledError:
            if waiting.worker.done() and not waiting.worker.cancelled():
                self.give(waiting.worker.result())  # handed out in the moment in which it was given up
            raise
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    def give(self, worker: Worker) -> None:
        """Hand over a worker that is free: a new one, or one that was held."""
        self._held.pop(worker, None)
        if self._usable(worker):
            self._free.append(worker)
        self._hand_out()

    def drop(self, worker: Worker) -> None:
        """Forget a worker that has gone; until then it counts as its client's."""
        self._held.pop(worker, None)
        if worker in self._free:
            self._free.remove(worker)

    def _hand_out(self) -> None:
        while self._free and (following := self._following()) is not None:
            worker = self._free.pop()
            if not self._usable(worker):
                continue
            self._waiting.remove(following)
            self._held[worker] = following.client
            self._count += 1
            self._turns[following.client] = self._count
            following.worker.set_result(worker)
        present = {*self._held.values(), *(each.client for each in self._waiting)}
        for client in self._turns.keys() - present:
            del self._turns[client]

    def _following(self) -> _Waiting[Worker] | None:
        held = Counter(self._held.values())
        allowed = [
            each for each in self._waiting if not each.worker.done() and held[each.client] < self._most(each.client)
        ]
        # min takes the first of equals, which has waited longest.
        return min(allowed, key=lambda each: (held[each.client], self._turns.get(each.client, 0)), default=None)

    def _most(self, client: str) -> int:
        return max(1, self._places - 1) if self._askers.anybody_but(client) else self._places
