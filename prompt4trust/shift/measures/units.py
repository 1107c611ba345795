"""Units that rows of numbers are measured in: how far a number lies from the reference's mean, in its own spread."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FURTHEST: Final = 8.0
"""Spreads at which a number's departure is cut: one strange number must not outweigh all others together."""
_DECIMALS: Final = 6


def units_of(rows: Floats, tolerance: Floats) -> tuple[Floats, Floats]:
    """Find centre and spread of each number, to as many digits as a file keeps: fitted and loaded must not differ.

    Args:
        rows: Reference rows, at least 1; shape [m, d].
        tolerance: Least spread of each number; above 0; shape [d].

    Returns:
        Centre and spread, each of shape [d].

    Example:
        >>> centre, spread = units_of(np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([0.1, 0.1]))
        >>> centre.tolist(), spread.tolist()
        ([2.0, 5.0], [1.0, 0.1])
    """
    centre, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), tolerance)
    return np.round(centre, _DECIMALS), np.round(spread, _DECIMALS)


def scaled(rows: Floats, centre: Floats, spread: Floats) -> Floats:
    """Bring rows to units of the spread, cut at 8 of them.

    Args:
        rows: Any rows; shape [n, d].
        centre: Subtracted from each number; shape [d].
        spread: By which each number is then divided, above 0; shape [d].

    Returns:
        Numbers in [-8, 8]; shape [n, d].

    Example:
        >>> scaled(np.array([[3.0, -90.0]]), np.array([1.0, 0.0]), np.array([2.0, 1.0])).tolist()
        [[1.0, -8.0]]
    """
    return np.clip((rows - centre) / spread, -_FURTHEST, _FURTHEST)
