"""Guidance that is asked for while the picture is still being decoded: the policy reads the question alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from prompt4trust.estimators import ESTIMATORS
from prompt4trust.models import Guidance, Policy
from services.gateway.intake.later import Later
from services.gateway.question_schemas import Ask


class GuidanceAhead:
    """A policy for one request that may have been asked already; implements the Policy protocol.

    Args:
        policy: The policy.
        later: Ends with the request; what was begun and is not wanted ends with it.
        clock: Monotonic seconds.

    Attributes:
        unwaited_s: Seconds of the call for which nobody waited.
    """

    def __init__(self, policy: Policy, later: Later, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._later = later
        self._clock = clock
        self._asked: tuple[str, Mapping[str, str]] | None = None
        self._call: asyncio.Task[Guidance] | None = None
        self._begun: asyncio.Task[Guidance] | None = None
        self._began = self._ended = 0.0
        self.unwaited_s = 0.0

    def begin(self, ask: Ask) -> None:
        """Ask for the guidance that a request's method will want first, if it wants any."""
        if ESTIMATORS[ask.method].needs_policy:
            self._asked = ask.question, ask.options
            self._began = self._clock()  # here: the task itself may start only after somebody waits for it
            self._call = self._begun = self._later.begin(self._timed(ask.question, ask.options))

    @property
    def is_pending(self) -> bool:
        """Whether guidance that was begun has not come yet."""
        return self._begun is not None and not self._begun.done()

    @property
    def waited_s(self) -> float:
        """Seconds since the policy was asked; 0 before it is."""
        return self._clock() - self._began if self._began else 0.0

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        """Write one guidance prompt, or wait for the one that is being written; see `Policy.guide`."""
        call, self._call = self._call, None
        if call is None or seed is not None or (question, options) != self._asked:
            return await self._policy.guide(question, options, seed=seed)
        self.unwaited_s = (self._ended if call.done() else self._clock()) - self._began
        return await call

    async def _timed(self, question: str, options: Mapping[str, str]) -> Guidance:
        try:
            return await self._policy.guide(question, options)
        finally:
            self._ended = self._clock()
