"""Turns at a few workers: no client keeps another waiting for longer than one piece of work takes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from services.common.askers import Askers
from services.common.fair_queue import FairQueue, Waiting

Worker = TypeVar("Worker", bound=Hashable)


@dataclass(eq=False, slots=True)
class _Waiting(Waiting, Generic[Worker]):
    worker: Worker | None = None


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
        self._line = FairQueue[_Waiting[Worker]]()

    @property
    def free(self) -> int:
        """Workers that nobody holds."""
        return len(self._free)

    async def take(self, client: str) -> Worker:
        """Wait for a worker and hold it, until `give` or `drop` is told of it."""
        waiting = _Waiting[Worker](client)
        self._line.join(waiting)
        self._hand_out()
        try:
            await waiting.called.wait()
        except asyncio.CancelledError:
            if waiting.worker is not None:
                self.give(waiting.worker)  # handed out in the moment in which it was given up
            raise
        finally:
            self._line.leave(waiting)
        assert waiting.worker is not None  # noqa: S101 - handed out before it was called
        return waiting.worker

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
        while True:
            while self._free and not self._usable(self._free[-1]):
                self._free.pop()
            if not self._free:
                return
            held = Counter(self._held.values())
            following = self._line.call(held, partial(self._may, held))
            if following is None:
                return
            following.worker = self._free.pop()
            self._held[following.worker] = following.client
            following.called.set()

    def _may(self, held: Counter[str], client: str) -> bool:
        return held[client] < self._most(client)

    def _most(self, client: str) -> int:
        return max(1, self._places - 1) if self._askers.anybody_but(client) else self._places
