"""Conformal p-values: against a loop, and valid by counting every order in which inputs may be drawn."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.shift import bonferroni, conformal_p_values

scores = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=30)


@given(scores, scores)
def test_p_values_count_what_is_at_least_as_large(new: list[float], reference: list[float]) -> None:
    found = conformal_p_values(new, sorted(reference))
    expected = [(1 + sum(known >= score for known in reference)) / (len(reference) + 1) for score in new]
    assert found.tolist() == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=6))
def test_p_values_are_valid_whatever_the_ties(drawn: list[int]) -> None:
    # Exchangeable: every order of the drawn scores is equally likely; the last one is the new input.
    orders = list(permutations(drawn))
    p_values = [
        Fraction(float(conformal_p_values([order[-1]], sorted(order[:-1]))[0])).limit_denominator(100)
        for order in orders
    ]
    for level in set(p_values):
        assert Fraction(sum(p <= level for p in p_values), len(orders)) <= level
    if len(set(drawn)) == len(drawn):  # without ties the p-value is uniform on its steps
        assert sorted(set(p_values)) == [Fraction(place, len(drawn)) for place in range(1, len(drawn) + 1)]
        assert all(Fraction(sum(p <= level for p in p_values), len(orders)) == level for level in p_values)


@given(st.permutations(range(5)), st.permutations(range(5)))
def test_two_tests_together_stay_valid_however_they_depend(one: list[int], other: list[int]) -> None:
    # Each of five inputs has two scores; which of the five is the new one is equally likely.
    combined = []
    for new in range(5):
        rest = [place for place in range(5) if place != new]
        parts = [conformal_p_values([side[new]], sorted(side[place] for place in rest)) for side in (one, other)]
        combined.append(float(bonferroni(parts)[0]))
        assert combined[-1] == min(1.0, 2 * min(float(part[0]) for part in parts))
    for level in set(combined):
        assert sum(p <= level for p in combined) / 5 <= level + 1e-12


def test_nothing_is_compared_with_nothing() -> None:
    with pytest.raises(ValueError, match="at least one reference score"):
        conformal_p_values([1.0], [])
    with pytest.raises(ValueError, match="no p-value"):
        bonferroni([])


def test_one_test_alone_is_left_as_it_is() -> None:
    assert bonferroni([np.array([0.2, 0.7])]).tolist() == [0.2, 0.7]
