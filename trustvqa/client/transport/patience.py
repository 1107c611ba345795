"""How long a call to a gateway is begun anew, and after which failures: one policy for both clients and for batches.

The tries are made by tenacity. Not by stamina, which the services use: it would tell of each try on the standard output
of whoever uses this library.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential, wait_random

from trustvqa.client.errors import ClientError, DeadlineError, GatewayUnreachableError, ProblemError
from trustvqa.client.plain.request import UnsentError

_LOG = logging.getLogger("trustvqa.client")
_AGAIN = frozenset({429, 502, 503, 504})
_REFUSED_AT_ONCE = frozenset({429, 503})
"""Statuses that say that nothing was done."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
_PAUSES = wait_exponential(multiplier=_FIRST_PAUSE_S, max=_LONGEST_PAUSE_S - _FIRST_PAUSE_S) + wait_random(
    0, _FIRST_PAUSE_S
)
_SHORTEST_TRY_S = 0.001
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take, and how long it is begun anew.

    Attributes:
        deadline_s: Seconds for all tries together, pauses included.
        again_s: Seconds within which a further try may begin; 0 to try once.
        try_s: Longest time of one try, in seconds.
        repeatable: Whether the request may have been carried out although its reply was lost, and does no harm if it
            is carried out twice.
        away_s: Seconds within which a further try may begin where no connection could be made.
        noted: Told why it is tried again, each time that it is.
        failed: How a try failed that was made elsewhere: it counts as the first one.
    """

    deadline_s: float
    again_s: float = math.inf
    try_s: float = math.inf
    repeatable: bool = True
    away_s: float = math.inf
    noted: Callable[[str], None] = lambda _: None
    failed: ClientError | None = None

    def is_worth_another_try(self, error: BaseException) -> bool:
        """Whether what failed may succeed the next time, and does no harm if it was carried out already.

        Example:
            >>> Patience(60).is_worth_another_try(ProblemError(502, {}))
            True
            >>> Patience(60, repeatable=False).is_worth_another_try(ProblemError(502, {}))
            False
        """
        if isinstance(error, ProblemError):
            return error.status in (_AGAIN if self.repeatable else _REFUSED_AT_ONCE)
        return isinstance(error, UnsentError) or (self.repeatable and isinstance(error, GatewayUnreachableError))

    def is_over(self, error: ClientError, passed_s: float) -> bool:
        """Whether it is too late for a further try, the one that the gateway asks to wait for included.

        Args:
            error: How the last try failed.
            passed_s: Seconds since the first one began.
        """
        until_s = min(self.again_s, self.deadline_s)
        if isinstance(error, UnsentError):
            until_s = min(until_s, self.away_s)
        return passed_s + (_retry_after(error) or 0.0) >= until_s


async def tried(once: Callable[[float], Awaitable[_T]], patience: Patience) -> _T:
    """Do something until it succeeds, or trying again would not help, or it is too late.

    Args:
        once: Tries it within so many seconds.
        patience: How long.

    Raises:
        ClientError: Why the last try failed.
    """
    clock = asyncio.get_running_loop().time
    ends_at = clock() + patience.deadline_s
    elsewhere = patience.failed
    last: ClientError | None = None

    async def attempt() -> _T:
        nonlocal elsewhere
        if elsewhere is not None:
            failed, elsewhere = elsewhere, None
            raise failed
        return await once(max(min(ends_at - clock(), patience.try_s), _SHORTEST_TRY_S))

    def note(state: RetryCallState) -> None:
        nonlocal last
        last = _failure(state)
        patience.noted(_reason(last))
        _LOG.info("%s: asking again in %.2f s", last, state.upcoming_sleep)

    tries = AsyncRetrying(
        sleep=asyncio.sleep,
        retry=retry_if_exception(patience.is_worth_another_try),
        wait=_pause,
        stop=lambda state: patience.is_over(_failure(state), state.seconds_since_start or 0.0),
        before_sleep=note,
        reraise=True,
    )
    try:
        async with asyncio.timeout_at(ends_at):
            return await tries(attempt)
    except TimeoutError as error:
        if isinstance(error, DeadlineError):
            raise
        # In a pause between tries the reason for trying again says more than the clock.
        raise last or DeadlineError(f"no answer within {patience.deadline_s:g} s") from None


def _failure(state: RetryCallState) -> ClientError:
    error = state.outcome and state.outcome.exception()
    assert isinstance(error, ClientError)  # noqa: S101 - nothing else is tried again
    return error


def _pause(state: RetryCallState) -> float:
    wait = _retry_after(_failure(state))
    return _PAUSES(state) if wait is None else wait


def _retry_after(error: ClientError) -> float | None:
    return error.retry_after if isinstance(error, ProblemError) else None


def _reason(error: ClientError) -> str:
    return (
        f"it replied with status {error.status}"
        if isinstance(error, ProblemError)
        else getattr(error, "said", str(error))
    )
