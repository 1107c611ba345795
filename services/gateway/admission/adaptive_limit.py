"""How many questions are answered at once: as few as bring most of what the models can do."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal, Protocol

Outcome = Literal["answered", "late", "refused", "failed"]
"""How a question in flight ended: answered; ended by a deadline or because nobody waited any more; refused by a model's
server for want of room; or failed for a reason that has nothing to do with load."""

_ENOUGH = 0.85
"""Share of the best rate that is worth no more questions at once."""
_TOO_BAD = 0.5
"""Share of the best rate below which a limit is not chosen although it is one step above what is enough: there most
answers come too late."""
_OTHER = 0.25
"""Change of a known rate beyond which the models are thought to be other than they were."""
_LEAST_ENDED = 24
"""Questions of a measurement at least."""
_REMEMBERED = 20
"""Measurements for which a rate counts: by number and not by time, so that it is the same for slow models and fast."""
_FEW = 10
"""Limit up to which smaller ones are looked at one by one, as they may cost much of the rate."""
_PAUSE_AFTER_REFUSAL = 3
"""Measurements after which a server that refused is given one step more."""


class QuestionLimit(Protocol):
    """A bound on questions in flight that may learn from how they end."""

    @property
    def now(self) -> int:
        """The limit."""
        ...

    @property
    def measurement(self) -> int:
        """Number of the present measurement: questions that began in an earlier one tell nothing of it."""
        ...

    def ended(self, outcome: Outcome, seconds: float) -> None:
        """Learn from a question that began in this measurement, while as many were in flight as may be.

        Args:
            outcome: How it ended.
            seconds: How long it was in flight.
        """
        ...


class FixedLimit:
    """A limit that stays as it is.

    Args:
        now: The limit.
    """

    measurement = 0

    def __init__(self, now: int) -> None:
        self.now = now

    def ended(self, outcome: Outcome, seconds: float) -> None:
        """Learn nothing."""


class AdaptiveLimit:
    """A limit on questions in flight, learnt from the rate of answers at several limits.

    By Little's law the rate at a limit is that many questions over the mean time that each took, and time that was
    spent on questions without an answer counts. The limit is one step above the least that brings 85 % of the best rate
    that is known. So it follows the models: to more questions at once while more answers come of it, as a
    batching engine has them, and to fewer where they would only wait in the engine's line.

    Limits by the time of an answer alone (Vegas, gradients) suit servers with a number of slots. An engine that batches
    takes longer for each question long before it has reached its best rate, and they would stop it at a part of that.

    Rates are measured while as many questions are in flight as may be, at one limit at a time, from as many answers as
    that, but no fewer than 24. Neighbours of the present limit that are not known are tried; what was learnt is
    forgotten after a while, and at once where the rate at the present limit turns out to have changed much.

    No library that is kept was found: `aioadaptive` 0.1.5 and `aimd-limiter` 0.1.0 are limits by time or on rates, with
    clocks of their own.

    Args:
        most: The highest limit.
        start: Where it begins; by default there.
    """

    def __init__(self, most: int, *, start: int | None = None) -> None:
        self._steps = tuple(_steps(most))
        self._at = bisect_left(self._steps, min(start or most, most))
        self._rates: dict[int, tuple[float, int]] = {}  # step -> answers a second, number of that measurement
        self._most_at = len(self._steps) - 1
        self._refused = 0
        self.measurement = 0
        self._begin()

    @property
    def now(self) -> int:
        """The limit."""
        return self._steps[self._at]

    def ended(self, outcome: Outcome, seconds: float) -> None:
        """Learn from how a question ended, and choose a limit once that is enough."""
        if outcome == "refused":
            self._step_down()
            return
        if outcome == "failed":
            return
        self._ended += 1
        if self._ended <= self.now:
            return  # these began while the models' line was not yet as long as the limit makes it
        self._answered += outcome == "answered"
        self._held_s += seconds
        if self._ended >= self.now + max(_LEAST_ENDED, self.now):
            self._learn()

    def _step_down(self) -> None:
        # Those that were sent at the old limit may be refused together: that is one step.
        self._refused = self.measurement
        self._at = max(self._at - 1, 0)
        self._most_at = self._at
        self._begin()

    def _learn(self) -> None:
        rate = self.now * self._answered / self._held_s if self._held_s > 0 else 0.0
        oldest = self.measurement - _REMEMBERED
        self._rates = {at: known for at, known in self._rates.items() if known[1] > oldest}
        before = self._rates.get(self._at, (rate, 0))[0]
        if abs(rate - before) > _OTHER * before:
            self._rates = {}
            before = rate
        self._rates[self._at] = ((before + rate) / 2, self.measurement)
        if self.measurement - self._refused >= _PAUSE_AFTER_REFUSAL:
            self._refused = self.measurement
            self._most_at = min(self._most_at + 1, len(self._steps) - 1)
        self._at = min(self._next(), self._most_at)
        self._begin()

    def _next(self) -> int:
        best = max(rate for rate, _ in self._rates.values())
        enough = min(at for at, (rate, _) in self._rates.items() if rate >= _ENOUGH * best)
        if enough > 0 and enough - 1 not in self._rates:
            # In larger steps where that is cheap: high above what is known to be too few.
            far = min(self._rates) == enough and self._steps[enough] > _FEW
            return enough - 2 if far else enough - 1
        # One step more keeps the models busy while answers and questions change places; and the next is tried.
        above = enough + 1
        if above not in self._rates:
            return above
        if self._rates[above][0] < _TOO_BAD * best:
            return enough
        return above if above + 1 in self._rates else above + 1

    def _begin(self) -> None:
        self.measurement += 1
        self._ended = self._answered = 0
        self._held_s = 0.0


def _steps(most: int) -> Iterator[int]:
    """Limits to choose from, each about 1.4 times the one before."""
    step = 1
    while step < most:
        yield step
        step = max(step + 1, round(step * math.sqrt(2)))
    yield most
