"""Levels: p-values that are never smaller than those among all scores, from groups of inputs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.shift import conformal_p_values
from prompt4trust.shift.levels import GROUP, Levels

SCORES = st.lists(st.integers(0, 400).map(lambda each: each / 100), min_size=1, max_size=80)


@given(SCORES, st.integers(1, 12))
def test_a_p_value_is_never_smaller_than_among_all_scores(scores: list[float], group: int) -> None:
    levels, new = Levels.of(scores, group), np.linspace(0, 5, 101)
    assert (levels.p_values(new) >= conformal_p_values(new, np.sort(scores)) - 1e-12).all()
    assert levels.p_values(np.array([1e9])).tolist() == [1 / (len(scores) + 1)]


@given(SCORES)
def test_no_fewer_than_a_group_lie_between_two_edges(scores: list[float]) -> None:
    levels = Levels.of(scores)
    counts = [levels.n, *levels.reaching]
    assert levels.n < 2 * GROUP or all(one - other >= GROUP for one, other in pairwise(counts))
    assert levels.reaching[-1] == 0
    for edge, reaching in zip(levels.edges, levels.reaching, strict=True):
        assert sum(score >= edge for score in scores) == reaching


@given(SCORES)
def test_groups_of_one_give_the_p_values_of_all_scores(scores: list[float]) -> None:
    levels = Levels.of(scores, 1)
    new = np.array([*scores, *np.linspace(0, 5, 101)])
    assert levels.p_values(new) == pytest.approx(conformal_p_values(new, np.sort(scores)))


def test_edges_are_short_and_tell_no_single_score() -> None:
    scores = np.random.default_rng(0).exponential(size=50)
    levels = Levels.of(scores)
    assert levels.reaching == (40, 32, 24, 16, 8, 0)
    assert not set(levels.edges) & set(scores)
    assert all(len(f"{edge:g}") <= 5 for edge in levels.edges)


def test_without_scores_there_are_none() -> None:
    with pytest.raises(ValueError, match="at least one reference score"):
        Levels.of([])
