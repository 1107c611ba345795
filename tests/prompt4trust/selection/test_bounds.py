"""The bound against the binomial distribution itself, in whole numbers."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from prompt4trust.selection import upper_bound


def at_most(errors: int, rows: int, rate: Fraction) -> Fraction:
    """Probability of so few errors, exactly."""
    return sum(
        (comb(rows, k) * rate**k * (1 - rate) ** (rows - k) for k in range(errors + 1)),
        start=Fraction(0),
    )


@pytest.mark.parametrize("delta", [Fraction(1, 20), Fraction(1, 10), Fraction(1, 2)])
@pytest.mark.parametrize("rows", [1, 2, 7, 17])
def test_the_bound_is_below_a_rate_exactly_where_the_binomial_test_rejects_it(rows: int, delta: Fraction) -> None:
    for errors in range(rows + 1):
        bound = float(upper_bound(errors, rows, float(delta)))
        for percent in range(1, 100):
            rate = Fraction(percent, 100)
            rejected = at_most(errors, rows, rate) <= delta
            assert rejected == (bound <= float(rate) + 1e-12), (errors, percent)


def test_no_error_has_a_closed_form_and_only_errors_prove_nothing() -> None:
    rows = np.array([1, 10, 59, 1000])
    assert upper_bound(np.zeros(4), rows, 0.05) == pytest.approx(1 - 0.05 ** (1 / rows))
    assert upper_bound([0, 3], [0, 3], 0.05).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("errors", "rows", "delta"), [(1, 10, 0), (1, 10, 1), (-1, 10, 0.1), (11, 10, 0.1)])
def test_what_cannot_be_is_refused(errors: int, rows: int, delta: float) -> None:
    with pytest.raises(ValueError, match=r"delta|errors"):
        upper_bound(errors, rows, delta)
