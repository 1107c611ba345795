"""When to come back: a time for each client that was turned away, in the order in which there will be room."""

from __future__ import annotations

import time
from collections.abc import Callable


class ReturnTimes:
    """Times for Retry-After that do not send all clients back at the same moment.

    Those that were turned away are served once the line before them is, at the rate at which answers leave now: the
    hundredth is told a later time than the first. A promise it is not: others come meanwhile.

    Args:
        least_s: Shortest time that is told, in seconds.
        most_s: Longest.
        clock: Monotonic seconds.
    """

    def __init__(self, least_s: float, most_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._least_s = least_s
        self._most_s = max(most_s, least_s)
        self._clock = clock
        self._free_at = 0.0

    def next(self, waiting: int, seconds_each: float) -> float:
        """Give the next one that is turned away its time.

        Args:
            waiting: Questions in the line.
            seconds_each: Time between two answers at the moment, in seconds; 0 where that is not known.

        Returns:
            Seconds from now.
        """
        now = self._clock()
        free_at = max(self._free_at, now + waiting * seconds_each) + seconds_each
        self._free_at = min(free_at, now + self._most_s)
        return min(max(self._free_at - now, self._least_s), self._most_s)
