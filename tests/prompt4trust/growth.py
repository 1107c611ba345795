"""How the time of reading grows with a text's length, measured so that a slow or busy machine does not matter."""

from __future__ import annotations

import time
from collections.abc import Callable

_MOST = 9.0  # a text four times as long takes four times as long in linear time, sixteen in quadratic


def takes_linear_time(read: Callable[[str], object], part: str, times: int) -> bool:
    """Whether a text of four times as many parts takes no more than a few times as long, in processor time.

    Args:
        read: Reads a text.
        part: What the text repeats.
        times: How often the shorter text repeats it.

    Returns:
        False where that fails in three tries, so that other load on the machine alone does not make it fail.

    Example:
        >>> takes_linear_time(str.lower, "Answer: B. ", 10_000)
        True
    """
    return any(_growth(read, part * times, part * (4 * times)) < _MOST for _ in range(3))


def _growth(read: Callable[[str], object], shorter: str, longer: str) -> float:
    return _seconds(read, longer) / max(min(_seconds(read, shorter) for _ in range(2)), 0.001)


def _seconds(read: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    read(text)
    return time.process_time() - began
