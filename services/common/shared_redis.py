"""A Redis that several processes share, asked beside requests: few at once, briefly, and left alone once it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import structlog

DEADLINE_S: Final = 0.1
_PAUSE_S: Final = 5.0
_PATIENCE_S: Final = 1.0
_CONNECTIONS: Final = 16
_log = structlog.get_logger(__name__)
T = TypeVar("T")


class RedisAwayError(Exception):
    """The Redis did not answer in time, or not as one does; or it is left alone because of that."""


class RedisBusyError(Exception):
    """The Redis answers, and so many ask it that this question's turn did not come in time."""


class SharedRedis:
    """Asks a Redis so that many questions at once are no outage.

    Each of few connections answers one question at a time. The others wait for their turn, and a wait does not count
    as the Redis's silence: what is counted or noted there is not to become this process's own because many ask.

    Args:
        url: The Redis.
        deadline_s: Seconds for one question, once it is its turn.
        while_away: What it means that it is away, for the log.
        patience_s: Seconds that a question waits for its turn at most.
        now: Seconds on a clock that goes on evenly.
    """

    def __init__(
        self,
        url: str,
        deadline_s: float = DEADLINE_S,
        *,
        while_away: str,
        patience_s: float = _PATIENCE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        # Here, so that a service without one does not load it.
        from redis.asyncio import BlockingConnectionPool

        self.pool: Any = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=deadline_s,
            socket_timeout=deadline_s,
            socket_connect_timeout=deadline_s,
        )
        self._deadline_s = deadline_s
        self._while_away = while_away
        self._patience_s = patience_s
        self._now = now
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._not_before = 0.0

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Ask it something.

        Args:
            question: Makes the call; it takes one connection of the pool at a time.

        Raises:
            RedisAwayError: If it does not answer, or did not a moment ago.
            RedisBusyError: If too many ask.
        """
        self._refuse_while_away()
        try:
            async with asyncio.timeout(self._patience_s):
                await self._turns.acquire()
        except TimeoutError:
            raise RedisBusyError("too many questions at once") from None
        try:
            # Whoever was before may have found out meanwhile.
            self._refuse_while_away()
            return await self._answer(question)
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Close all connections."""
        await self.pool.aclose()

    def _refuse_while_away(self) -> None:
        if self._now() < self._not_before:
            raise RedisAwayError("left alone for a while")

    async def _answer(self, question: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await question()
        except Exception as error:  # whatever the libraries make of a Redis that is away, full or none
            if self._now() >= self._not_before:
                _log.warning(self._while_away, reason=type(error).__name__)
            self._not_before = self._now() + _PAUSE_S
            raise RedisAwayError(type(error).__name__) from error
