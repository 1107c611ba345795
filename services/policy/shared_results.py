"""A cache of replies that are the same every time: made once, shared by whoever asks meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachetools import TTLCache

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiting: int = 0


class SharedResults(Generic[T]):
    """A bounded cache whose misses are single-flight.

    Args:
        entries: Most results kept; the least recently used goes first. 0 keeps none (identical requests that overlap
            still share one).
        ttl_s: Seconds for which a result is kept.
        clock: Seconds that only rise.
    """

    def __init__(self, entries: int, ttl_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: TTLCache[Hashable, T] = TTLCache(entries, ttl_s, timer=clock)
        self._flights: dict[Hashable, _Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """Return the result for a key, making it if nobody has.

        Args:
            key: What the result depends on.
            make: Makes it. It runs in a task of its own: a caller that gives up does not spoil it for the others, and
                it is cancelled when the last caller has given up.

        Returns:
            The result and whether it was made for somebody else.

        Raises:
            Exception: Whatever make raises, to all who wait for it; a failure is not kept.
        """
        if key in self._kept:
            return self._kept[key], True
        flight = self._flights.get(key)
        shared = flight is not None
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(self._make(key, make)))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task), shared
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                flight.task.cancel()
                self._forget(key, flight)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights[key]
        try:
            result = await make()
            if self._kept.maxsize:
                self._kept[key] = result
            return result
        finally:
            self._forget(key, flight)

    def _forget(self, key: Hashable, flight: _Flight[T]) -> None:
        # By now the key may belong to a flight that took off after this one was abandoned.
        if self._flights.get(key) is flight:
            del self._flights[key]
