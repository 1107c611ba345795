"""Exact binomial bounds on an error rate, from a count of errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from prompt4trust.metrics.tally import FloatArray


def upper_bound(errors: npt.ArrayLike, rows: npt.ArrayLike, delta: float) -> FloatArray:
    """Bound an error rate from above with probability at least 1 - delta, whatever the rate is.

    It is the largest rate under which so few errors still have a probability above delta. The bound is at most r
    exactly where the one-sided binomial test of "the rate exceeds r" rejects at level delta.

    Args:
        errors: Errors found; shape [...], each in [0, rows].
        rows: Independent rows looked at; the same shape. Where it is 0 the bound is 1.
        delta: Probability with which the bound may fail, in (0, 1).

    Returns:
        Bounds in (0, 1]; the same shape.

    Raises:
        ValueError: If delta or a count is out of range.

    Source: Clopper and Pearson, Biometrika 26, 1934; the quantile 1 - delta of Beta(errors + 1, rows - errors).

    Example:
        >>> upper_bound([0, 5], [100, 100], delta=0.05).round(3).tolist()
        [0.03, 0.102]
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta must lie between 0 and 1, not {delta}")
    wrong, seen = np.asarray(errors, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    if not np.all((wrong >= 0) & (wrong <= seen)):
        raise ValueError("there must be no fewer than 0 errors and no more than rows")
    right = seen - wrong
    # Without a right answer the rate may be 1; the quantile is then not defined.
    bound = betaincinv(wrong + 1, np.maximum(right, 1), 1 - delta)
    return np.asarray(np.where(right > 0, bound, 1.0), dtype=np.float64)
