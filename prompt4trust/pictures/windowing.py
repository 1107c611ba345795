"""Windowing: grey of any depth becomes eight bits, by the values that most of the picture has.

Neither a hot pixel nor the value that fills the ground beyond the picture decides. A least or greatest value that lies
apart from all the others, by more than these span among themselves, is left out; of the rest the window reaches from
the 0.1 to the 99.9 percentile. Values beyond the window are black or white.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SHARE = 0.001
_FEWEST = 16
_BAND = 1_000_000
_MOST = 4_000_000
_Counted = tuple[NDArray[np.float64], NDArray[np.intp]]


def window_grey(values: NDArray[np.generic]) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """Window grey values.

    Args:
        values: Integers or floats; any shape. What is no number becomes black, infinite values black or white.

    Returns:
        The values from 0 to 255, of the same shape, and the window: what became 0 and what became 255. A picture
        without two different numbers becomes black.

    Example:
        >>> grey, window = window_grey(np.array([[0, 100, 500]], dtype=np.uint16))
        >>> grey.tolist(), window
        ([[0, 51, 255]], (0.0, 500.0))
    """
    low, high = grey_window(values)
    return _scaled(values, low, high), (low, high)


def grey_window(values: NDArray[np.generic]) -> tuple[float, float]:
    """Choose the window of grey values: what becomes 0, and what 255; twice 0 where there are none.

    Example:
        >>> grey_window(np.array([[0, 100, 500]], dtype=np.uint16))
        (0.0, 500.0)
    """
    found, counts = _counted(values)
    if not len(found):
        return 0.0, 0.0
    first, last = 0, len(found) - 1
    if last - first > _FEWEST and found[1] - found[0] > found[last] - found[1]:
        first += 1
    if last - first > _FEWEST and found[last] - found[last - 1] > found[last - 1] - found[first]:
        last -= 1
    found, below = found[first : last + 1], np.cumsum(counts[first : last + 1])
    total = int(below[-1])
    low = found[np.searchsorted(below, int(_SHARE * (total - 1)), side="right")]
    high = found[np.searchsorted(below, int(np.ceil((1 - _SHARE) * (total - 1))), side="right")]
    return float(low), float(high)


def _counted(values: NDArray[np.generic]) -> _Counted:
    """Count each finite value, ascending."""
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        # In parts: counting makes eight bytes of each value.
        counts = np.zeros(65_536, dtype=np.intp)
        for start in range(0, values.size, _BAND):
            counts += np.bincount(values.ravel()[start : start + _BAND], minlength=65_536)
        there = np.flatnonzero(counts)
        return there.astype(np.float64), counts[there]
    # Every so manieth of very many: these are sorted, and a large picture of doubles would take gigabytes.
    some = values.ravel()[:: -(-values.size // _MOST)]
    finite = some[np.isfinite(some)].astype(np.float64)
    found, counts = np.unique(finite, return_counts=True)
    return found, counts


def _scaled(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    if not low < high:
        return np.zeros(values.shape, dtype=np.uint8)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        # A table of all 65 536 values: exact rounding at the cost of one byte a pixel.
        steps = (np.arange(65_536, dtype=np.float64) - low) * (255.0 / (high - low))
        shades = np.clip(np.rint(steps), 0, 255).astype(np.uint8)
        return np.asarray(shades[values], dtype=np.uint8)
    # Halved first: the span of two finite doubles may overflow. In bands of rows, so that double precision costs memory
    # for a band and not for the picture.
    span = high / 2 - low / 2
    grey = []
    for band in np.array_split(values, max(1, values.size // _BAND)):
        scaled = (band.astype(np.float64) / 2 - low / 2) / span
        scaled = np.nan_to_num(scaled, nan=0.0, posinf=1.0, neginf=0.0)
        grey.append(np.rint(np.clip(scaled, 0.0, 1.0) * 255.0).astype(np.uint8))
    return np.concatenate(grey)
