"""A constant load of questions, each judged as its reply comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.waiting import until
from tests.system.faults.questions import Outcome, Question, ask

AT_ONCE = 4
SHORT_RATE = 6.0
"""Questions a second in the suite: as many as the miniatures can take would leave no core to what starts meanwhile."""
_PATIENCE_S = 60.0
"""Longest that a client waits for a reply: longer than any deadline of the gateway."""
_PAUSE_S = 0.05
"""A client's pause after it was refused."""


@dataclass
class Load:
    """People who ask, as many at once as `at_once`, one question after the other.

    Attributes:
        http: Their connections to the gateway.
        questions: What they ask in turns.
        at_once: How many they are.
        rate: Questions a second that they ask together at most; None for as many as they can.
        outcomes: What became of their questions, as it became known.
    """

    http: httpx.AsyncClient
    questions: Sequence[Question]
    at_once: int = AT_ONCE
    rate: float | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    _asked: int = 0
    _next_at: float = 0.0
    _in_flight: dict[int, float] = field(default_factory=dict)

    @property
    def waiting_s(self) -> float:
        """Seconds that the newest of the questions in flight has waited; 0 without one of each client."""
        return self.now() - max(self._in_flight.values()) if len(self._in_flight) == self.at_once else 0.0

    def now(self) -> float:
        """Seconds of the clock that outcomes have."""
        return asyncio.get_running_loop().time()

    def since(self, start: int) -> list[Outcome]:
        """Outcomes that became known after so many."""
        return self.outcomes[start:]

    async def until_answered(self, count: int, shows: Callable[[Outcome], bool], deadline_s: float) -> None:
        """Wait until so many more questions have an outcome, at least one of them of a kind."""
        start = len(self.outcomes)
        await until(lambda: len(self.outcomes) >= start + count and any(map(shows, self.since(start))), deadline_s)

    async def until_right_again(self, deadline_s: float) -> float:
        """Wait until all answers are right, for three rounds; return seconds until the last that was not."""
        begun = self.now()
        start = len(self.outcomes)

        def rights() -> int:
            asked_since = [each for each in self.since(start) if each.started >= begun]
            trailing = 0
            for each in reversed(asked_since):
                if each.kind != "right":
                    break
                trailing += 1
            return trailing

        await until(lambda: rights() >= 3 * self.at_once, deadline_s)
        others = [each.ended - begun for each in self.since(start) if each.kind != "right"]
        return max(others, default=0.0)

    async def _ask_for_ever(self, who: int, ended: asyncio.Event) -> None:
        while not ended.is_set():
            if self.rate is not None:
                at = self._next_at = max(self._next_at + 1 / self.rate, self.now())
                await asyncio.sleep(at - self.now())
            question = self.questions[self._asked % len(self.questions)]
            self._asked += 1
            self._in_flight[who] = self.now()
            outcome = await ask(self.http, question, self.now)
            del self._in_flight[who]
            self.outcomes.append(outcome)
            if outcome.kind in ("refused", "cut"):
                await asyncio.sleep(_PAUSE_S)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Ask for the length of a block; every question begun in it gets its outcome before it ends."""
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for who in range(self.at_once):
                tasks.create_task(self._ask_for_ever(who, ended))
            try:
                yield
            finally:
                ended.set()


def client(url: str, headers: dict[str, str], at_once: int = AT_ONCE) -> httpx.AsyncClient:
    """Open connections as clients hold them."""
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    return httpx.AsyncClient(base_url=url, timeout=_PATIENCE_S, limits=limits, headers=headers)
