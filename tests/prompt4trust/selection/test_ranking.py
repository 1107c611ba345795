"""The order in which answers are selected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.selection import level_of, selection_score, tie_of

shares = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 10_000), st.integers(0, 10_000), shares, shares)
def test_confidence_comes_first_and_ties_are_only_among_equals(
    one: int, other: int, tie: float, another: float
) -> None:
    first, second = selection_score(one / 10_000, tie), selection_score(other / 10_000, another)
    if one != other:
        assert (first < second) == (one < other)
    elif abs(tie - another) > 1e-5:
        assert (first < second) == (tie < another)
    assert level_of(first) == one / 10_000
    assert 0 <= first < 10_001


def test_a_tie_is_the_same_for_the_same_question_and_evenly_spread() -> None:
    places = np.array([tie_of([f"question {number}"]) for number in range(4000)])
    assert places.tolist()[:3] == [tie_of([f"question {number}"]) for number in range(3)]
    # Kolmogorov's distance from the uniform distribution: above 1.95 / sqrt(n) once in a thousand times.
    distance = np.abs(np.sort(places) - (np.arange(4000) + 0.5) / 4000).max()
    assert distance < 1.95 / np.sqrt(4000)
    assert tie_of(["ab", "c"]) != tie_of(["a", "bc"])
    assert tie_of(["a"]) != tie_of(["a"], "another end")
    tie_of(["\ud800"])


@pytest.mark.parametrize(("confidence", "tie"), [(-0.1, 0), (1.1, 0), (float("nan"), 0), (0.5, 1), (0.5, -0.1)])
def test_what_is_no_share_is_refused(confidence: float, tie: float) -> None:
    with pytest.raises(ValueError, match="confidence must be"):
        selection_score(confidence, tie)
