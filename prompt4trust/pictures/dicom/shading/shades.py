"""Grey of a DICOM object as shades from 0 to 255: rescaled to its own units, then windowed (PS3.3, C.11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from prompt4trust.pictures.dicom.shading.windows import GreyWindow

_WHITE: Final = 255.0
_BAND: Final = 1 << 20
Shades = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Grey in the object's own units -> shares of white, from 0 to 1."""


def windowed(window: GreyWindow) -> Shades:
    """Make the function of a window (PS3.3, C.11.2.1.2 and C.11.2.1.3).

    Example:
        >>> from prompt4trust.pictures.dicom.shading.windows import GreyWindow
        >>> windowed(GreyWindow(50, 101, "LINEAR"))(np.array([-1.0, 49.5, 200.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    centre, width = window.center, window.width
    if window.function == "SIGMOID":
        return lambda grey: 1.0 / (1.0 + np.exp(np.clip(-4.0 * (grey - centre) / width, -700.0, 700.0)))
    low, high = window.ends
    if high <= low:
        # LINEAR of the width 1 is a step.
        return lambda grey: np.where(grey > low, 1.0, 0.0)
    return lambda grey: np.clip((grey - low) / (high - low), 0.0, 1.0)


def between(low: float, high: float) -> Shades:
    """Make the function that turns all from low to high into black to white."""
    if not low < high:
        return lambda grey: np.zeros(grey.shape)
    # Halved first: the span of two finite doubles may overflow.
    return lambda grey: np.clip((grey / 2 - low / 2) / (high / 2 - low / 2), 0.0, 1.0)


def looked_up(apply: Callable[[NDArray[np.int64]], NDArray[Any]], top: int) -> Shades:
    """Make the function of a VOI LUT.

    Args:
        apply: Looks integers up.
        top: What becomes white.
    """
    return lambda grey: np.clip(apply(np.rint(np.nan_to_num(grey)).astype(np.int64)) / top, 0.0, 1.0)


def apply_shades(
    values: NDArray[Any], units: Shades, shades: Shades, padding: NDArray[np.bool_] | None, inverted: bool
) -> NDArray[np.uint8]:
    """Turn stored values into shades.

    Args:
        values: Height × width of integers or floats.
        units: Stored values -> the object's own units.
        shades: These -> shares of white.
        padding: Where values stand for no grey; they become black.
        inverted: Whether the least is white.

    Returns:
        The same shape, from 0 to 255.
    """

    def shade(some: NDArray[Any]) -> NDArray[np.uint8]:
        share = shades(units(some.astype(np.float64)))
        share = np.nan_to_num(1.0 - share if inverted else share, nan=0.0)
        return np.rint(share * _WHITE).astype(np.uint8)

    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2 and values.size:
        # A table of all values between the ends: exact, at one byte a pixel.
        low, high = int(values.min()), int(values.max())
        table = shade(np.arange(low, high + 1))
        grey = np.empty(values.shape, dtype=np.uint8)
        for top in _tops(values):
            grey[top] = table[values[top].astype(np.int32) - low]
    else:
        grey = np.empty(values.shape, dtype=np.uint8)
        for top in _tops(values):
            grey[top] = shade(values[top])
    if padding is not None:
        grey[padding] = 0
    return grey


def _tops(values: NDArray[Any]) -> list[slice]:
    """Cut rows into bands: double precision of a large picture would take gigabytes."""
    rows = max(1, _BAND // max(1, values.shape[1]))
    return [slice(top, top + rows) for top in range(0, values.shape[0], rows)]
