"""Clients that asked lately: enough of them to know whether anybody but one did."""

from __future__ import annotations

import time
from collections.abc import Callable

_LATELY_S = 60.0


class Askers:
    """The client that asked last and the one before it, so that no number of clients takes memory.

    Args:
        lately_s: How long a client that has asked counts, in seconds.
        clock: Monotonic seconds.

    Example:
        >>> askers = Askers()
        >>> askers.note("a")
        >>> askers.anybody_but("a"), askers.anybody_but("b")
        (False, True)
    """

    def __init__(self, lately_s: float = _LATELY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._lately_s = lately_s
        self._clock = clock
        self._last: tuple[str, float] | None = None
        self._other: tuple[str, float] | None = None  # the last that was not the last's

    def note(self, client: str) -> None:
        """Note that a client asks."""
        if self._last is not None and self._last[0] != client:
            self._other = self._last
        self._last = (client, self._clock())

    def anybody_but(self, client: str) -> bool:
        """Whether another client than this one asked lately."""
        found = self._other if self._last is not None and self._last[0] == client else self._last
        return found is not None and self._clock() - found[1] <= self._lately_s
