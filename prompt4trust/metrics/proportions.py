"""Intervals of a share that was counted, such as accuracy, coverage or the errors among answers."""

from __future__ import annotations

from math import sqrt
from typing import Final

from scipy.special import betaincinv, ndtri

_TAIL: Final = 0.025
"""Chance that the true share lies beyond either end."""


def exact_interval(count: int, of: int) -> tuple[float, float]:
    """Compute the 95 % interval of a share that covers it at least so often, whatever it is.

    Args:
        count: Rows with the property, in [0, of].
        of: Independent rows, at least 1.

    Returns:
        Its ends, in [0, 1].

    Source: Clopper and Pearson, Biometrika 26, 1934.

    Example:
        >>> low, high = exact_interval(8, 10)
        >>> round(low, 3), round(high, 3)
        (0.444, 0.975)
    """
    # Where no row has the property, or all have it, the share may be 0 or 1; the quantile is then not defined.
    low = float(betaincinv(count, of - count + 1, _TAIL)) if count else 0.0
    high = float(betaincinv(count + 1, of - count, 1 - _TAIL)) if count < of else 1.0
    return low, high


def wilson_interval(count: float, of: float) -> tuple[float, float]:
    """Compute the 95 % interval of a share that covers it about so often: narrower than `exact_interval`.

    Args:
        count: Rows with the property, in [0, of].
        of: Independent rows, more than 0. Rows that belong together are worth fewer, perhaps no whole number.

    Returns:
        Its ends, in [0, 1].

    Source: Wilson, Journal of the American Statistical Association 22, 1927.

    Example:
        >>> low, high = wilson_interval(8, 10)
        >>> round(low, 3), round(high, 3)
        (0.49, 0.943)
    """
    z = float(ndtri(1 - _TAIL))
    share = count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z / (1 + z * z / of) * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - reach) if count else 0.0, min(1.0, middle + reach) if count < of else 1.0
