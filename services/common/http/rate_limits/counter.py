"""Requests by caller, counted in a window that slides: in this process, or in a Redis for all of them."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from services.common.shared_redis import DEADLINE_S, RedisAwayError, RedisBusyError, SharedRedis


@dataclass(frozen=True, slots=True)
class Counted:
    """A request that was counted.

    Attributes:
        allowed: Whether it is one of those that may be sent.
        remaining: How many more may be sent now.
        reset_s: Seconds until there are more.
    """

    allowed: bool
    remaining: int
    reset_s: int


class RequestCounter:
    """Counts requests.

    Without an answer from the Redis in time this process counts by itself, so that a Redis that is away lets nobody
    ask without bound, and keeps nobody out. So does a request whose turn with a busy one does not come; the next one
    asks it again.

    Args:
        redis_url: A Redis that all processes and replicas count in, or None.
        deadline_s: Seconds for one count in it.
        processes: Processes of this service among which a rate is shared out where each counts by itself, so that
            all together let in no more than it.
    """

    def __init__(self, redis_url: str | None = None, deadline_s: float = DEADLINE_S, *, processes: int = 1) -> None:
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._processes = processes
        self._shared: SlidingWindowCounterRateLimiter | None = None
        self._redis: SharedRedis | None = None
        if redis_url is not None:
            self._redis = SharedRedis(redis_url, deadline_s, while_away="requests are counted by this process alone")
            # The address that counts is the pool's: it may be one of a socket, which the library writes otherwise.
            storage = RedisStorage(
                "async+redis://",
                implementation="redispy",
                key_prefix="trustvqa:rates",
                connection_pool=self._redis.pool,
            )
            self._shared = SlidingWindowCounterRateLimiter(storage)

    async def close(self) -> None:
        """Close all connections."""
        if self._redis is not None:
            await self._redis.close()

    async def count(self, client: str, rate: tuple[int, int]) -> Counted:
        """Count a request of a client against a rate: so many requests in so many seconds."""
        shared = self._shared
        if shared is not None and self._redis is not None:
            with suppress(RedisAwayError, RedisBusyError):
                return await self._redis.ask(lambda: _counted(shared, RateLimitItemPerSecond(*rate), client))
        count, seconds = rate
        own = RateLimitItemPerSecond(max(1, count // self._processes), seconds)
        return await _counted(self._own, own, client)


async def _counted(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItemPerSecond, client: str) -> Counted:
    allowed = await limiter.hit(item, client)
    stats = await limiter.get_window_stats(item, client)
    return Counted(allowed, max(0, int(stats.remaining)), max(1, round(stats.reset_time - time.time())))
