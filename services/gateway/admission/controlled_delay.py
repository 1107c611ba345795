"""How long a question may wait for its turn: long in a burst, briefly where the line does not end."""

from __future__ import annotations

import time
from collections.abc import Callable


class ControlledDelay:
    """The longest wait that makes sense now (Maurer, "Fail at Scale", ACM Queue 13/8, 2015, after CoDel, RFC 8289).

    A line that was empty a moment ago is a burst: it may take its time. One that has not been empty for as long as
    anybody may wait is a standing one: to wait longer helps nobody there, since as many come as go, and everybody's
    answer is late by the length of the line.

    Args:
        longest_s: Longest wait in a burst, and how long a line must last to be a standing one, in seconds.
        standing_s: Longest wait in a standing line, in seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, longest_s: float, standing_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.longest_s = longest_s
        self.standing_s = min(standing_s, longest_s)
        self._clock = clock
        self._empty_at = clock()
        self._is_empty = True

    def note(self, waiting: int) -> None:
        """Note the length of the line, whenever it changes."""
        if waiting == 0 or self._is_empty:
            self._empty_at = self._clock()
        self._is_empty = waiting == 0

    @property
    def is_standing(self) -> bool:
        """Whether the line has not been empty for long."""
        return not self._is_empty and self._clock() - self._empty_at > self.longest_s

    @property
    def allowed_s(self) -> float:
        """Longest wait now, in seconds."""
        return self.standing_s if self.is_standing else self.longest_s
