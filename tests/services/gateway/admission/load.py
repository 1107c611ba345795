"""A gate under load, in virtual time: questions that come by chance, and a model with a number of slots."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from services.gateway.admission.gate import Gate
from services.gateway.errors import BusyError


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Model:
    """A model that answers so many at once, the first come first, each in about so many seconds."""

    slots: int
    seconds: float
    spread: float = 0.3
    inside: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(5))
    _line: deque[asyncio.Future[None]] = field(default_factory=deque)

    async def answer(self) -> None:
        if self.inside >= self.slots or self._line:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._line.append(turn)
            try:
                await turn  # cancelled with its caller, and passed over then
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._end()
                raise
        else:
            self.inside += 1
        try:
            await asyncio.sleep(self.seconds * self._random.lognormvariate(-(self.spread**2) / 2, self.spread))
        finally:
            self._end()

    def _end(self) -> None:
        self.inside -= 1
        while self.inside < self.slots and self._line:
            turn = self._line.popleft()
            if not turn.done():
                self.inside += 1
                turn.set_result(None)


@dataclass
class Outcomes:
    """How questions ended: (when it came, seconds that it took)."""

    answered: list[tuple[float, float]] = field(default_factory=list)
    late: list[tuple[float, float]] = field(default_factory=list)
    refused: list[tuple[float, float]] = field(default_factory=list)
    times_told: list[float] = field(default_factory=list)

    def rate(self, since: float, until: float) -> float:
        """Answers in time, a second, of the questions that came then."""
        return sum(since <= came < until for came, _ in self.answered) / (until - since)

    def quantile(self, share: float, since: float) -> float:
        took = sorted(seconds for came, seconds in self.answered if came >= since)
        return took[int(share * (len(took) - 1))]


async def load(
    gate: Gate,
    model: Model,
    rate: float,
    seconds: float,
    *,
    patience_s: float,
    says: bool = True,
    client: str = "",
    during: Callable[[float], None] = lambda _: None,
    seed: int = 1,
) -> Outcomes:
    """Ask at a mean rate, come what may; a client hears nothing any more after its patience.

    Args:
        says: Whether clients say how long they will wait.
        during: Called with the time before each question.
    """
    draw, outcomes = random.Random(seed), Outcomes()

    async def ask() -> None:
        came = now()
        try:
            async with asyncio.timeout(patience_s), gate.place(client, patience_s if says else 60.0):
                await model.answer()
        except TimeoutError:
            outcomes.late.append((came, now() - came))
        except BusyError as error:
            outcomes.refused.append((came, now() - came))
            outcomes.times_told.append(error.retry_after or 0.0)
        else:
            outcomes.answered.append((came, now() - came))

    async with asyncio.TaskGroup() as group:
        until = now() + seconds
        while (pause := draw.expovariate(rate)) < until - now():
            await asyncio.sleep(pause)
            during(now())
            group.create_task(ask())
    return outcomes
