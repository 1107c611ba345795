"""A policy that keeps failing is left alone for a while, so that not every question waits for it in vain."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from prompt4trust.models import Guidance, Policy, TransportError

_QUESTIONS_FAULT = frozenset({400, 413, 422})
"""Statuses by which a policy that works refuses a question, such as one that is too long for it."""


class PolicyBreaker:
    """A circuit breaker (Nygard, "Release It!") around a policy; implements the Policy protocol.

    After some failures in a row it fails at once for a pause. Then one question tries again: if it succeeds all do
    so again, if not the next pause begins. A question that the policy refuses is no failure of the policy: else a
    client could take everybody's guidance away with a few long questions.

    Args:
        policy: The policy.
        failures: Failures in a row that begin a pause.
        pause_s: Its length in seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self, policy: Policy, failures: int, pause_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._policy = policy
        self._limit = failures
        self._pause_s = pause_s
        self._clock = clock
        self._failed = 0
        self._closed_until = 0.0

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        """Write one guidance prompt; raise TransportError where that is not possible, or not tried."""
        if self._failed >= self._limit:
            now = self._clock()
            if now < self._closed_until:
                raise TransportError("policy", f"it failed {self._failed} times in a row and is left alone for now")
            # The one that tries: the others go on without until it is known how it fared.
            self._closed_until = now + self._pause_s
        try:
            guidance = await self._policy.guide(question, options, seed=seed)
        except TransportError as error:
            if error.status in _QUESTIONS_FAULT:
                self._failed = 0
                raise
            self._failed += 1
            self._closed_until = self._clock() + self._pause_s
            raise
        self._failed = 0
        return guidance
