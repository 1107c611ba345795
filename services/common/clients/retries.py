"""Retries of failed calls, with growing pauses, within one deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import stamina

from prompt4trust.models import TransportError
from services.common.clients.retry_budget import RetryBudget

T = TypeVar("T")

# 408 and 425 ask for another try; 520 to 524 are a proxy's words for what is behind it, and 529 is for overload.
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """Persistence of a caller.

    Attributes:
        deadline_s: Seconds for all tries together.
        attempts: Tries in all.
        wait_initial_s: First pause; it doubles up to wait_max_s, and up to wait_initial_s is added by chance.
        wait_max_s: Longest pause.
        budget: Bounds the retries of all calls that share it; None for no bound.
    """

    deadline_s: float = 30.0
    attempts: int = 3
    wait_initial_s: float = 0.1
    wait_max_s: float = 5.0
    budget: RetryBudget | None = None


async def retried(call: Callable[[], Awaitable[T]], service: str, retry: RetrySettings) -> T:
    """Make a call, again where it fails and may not fail the next time.

    Args:
        call: Makes it once; raises TransportError where it fails. Connection failures, 429 and statuses of servers that
            are overloaded, late or broken are tried again (honouring Retry-After where it fits the deadline); other
            statuses are not.
        service: Name for errors: "policy" or "downstream".
        retry: Deadline and tries.

    Returns:
        What the call returns.

    Raises:
        TransportError: If it did not succeed within the deadline.
    """
    last: TransportError | None = None
    give_up_at = asyncio.get_running_loop().time() + retry.deadline_s
    tries = 0
    if retry.budget is not None:
        retry.budget.earn()

    def pause_before_retry(error: Exception) -> bool | float:
        if not isinstance(error, TransportError) or (error.status is not None and error.status not in _RETRIED):
            return False
        # A pause past the deadline would only delay the bad news.
        if error.retry_after is not None and asyncio.get_running_loop().time() + error.retry_after >= give_up_at:
            return False
        if retry.budget is not None and tries < retry.attempts and not retry.budget.spend():
            return False
        return True if error.retry_after is None else error.retry_after

    try:
        async with asyncio.timeout(retry.deadline_s):
            try:
                return await call()  # nearly always all there is to do: to set up retries takes as long as a small call
            except TransportError as error:
                last = error
            async for attempt in stamina.retry_context(
                on=pause_before_retry,
                attempts=retry.attempts,
                timeout=retry.deadline_s,
                wait_initial=retry.wait_initial_s,
                wait_max=retry.wait_max_s,
                wait_jitter=retry.wait_initial_s,
            ):
                tries = attempt.num
                with attempt:
                    if tries == 1:
                        raise last  # the call above
                    try:
                        return await call()
                    except TransportError as error:
                        last = error
                        raise
    except TimeoutError:
        # The deadline fell into a pause between tries: the reason for trying again says more than the clock.
        raise last or TransportError(service, f"no reply within {retry.deadline_s:g} s", timed_out=True) from None
    raise AssertionError("the retry loop returns or raises")
