"""Agreement of groups: entropy, degree and eccentricity against values worked out otherwise."""

from __future__ import annotations

from math import log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.meaning import agreement_of


def test_values_of_groups() -> None:
    found = agreement_of(["b", "a", "a", "a", "c", "b"])
    assert found is not None
    assert (found.place, found.degree) == (1, 0.5)
    entropy = 3 / 6 * log(2) + 2 / 6 * log(3) + 1 / 6 * log(6)
    assert found.certainty == pytest.approx(1 - entropy / log(6))
    # Of a group of k among n each has 1 / sqrt(k) on its group's axis, whose mean is sqrt(k) / n.
    own, others = 1 / sqrt(3) - sqrt(3) / 6, [sqrt(2) / 6, 1 / 6]
    assert found.centrality == pytest.approx(1 - sqrt(own**2 + sum(each**2 for each in others)))


def test_ends_ties_and_samples_without_an_answer() -> None:
    assert agreement_of([None, None]) is None
    whole = agreement_of(["a"] * 5)
    assert whole is not None
    assert (whole.place, whole.degree, whole.certainty) == (0, 1.0, 1.0)
    assert whole.centrality == pytest.approx(1)
    apart = agreement_of([None, "b", "a", None])
    assert apart is not None
    assert (apart.place, apart.degree) == (1, 0.25)
    assert apart.certainty == pytest.approx(0, abs=1e-12)
    assert agreement_of(["x"]) is not None


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=2, max_size=12))
def test_measures_are_shares_and_more_agreement_is_more(groups: list[str | None]) -> None:
    found = agreement_of(groups)
    if found is None:
        assert not any(groups)
        return
    assert all(0 <= each <= 1 for each in (found.degree, found.certainty, found.centrality))
    assert found.degree == max(groups.count(each) for each in set(groups) - {None}) / len(groups)
    again = agreement_of([groups[found.place]] * len(groups))
    assert again is not None
    assert again.certainty >= found.certainty
    assert again.centrality >= found.centrality - 1e-9
