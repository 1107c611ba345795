"""Trees as lists: against scikit-learn's sums and a walk in plain Python, and what is no tree or falls."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from prompt4trust.calibration.trees import LEAF, MOST_NODES, Trees

Built = tuple[list[int], list[float]]


@st.composite
def trees(draw: st.DrawFn, columns: int = 3) -> Built:
    """A few trees of any shape, the leaves of each ascending."""
    told: Built = ([], [])
    for _ in range(draw(st.integers(1, 4))):
        leaves = draw(st.lists(st.floats(-2, 2), min_size=1, max_size=6).map(sorted))
        _grow(draw, leaves, columns, told)
    return told


def _grow(draw: st.DrawFn, leaves: list[float], columns: int, told: Built) -> None:
    if len(leaves) == 1:
        told[0].append(LEAF)
        told[1].append(leaves[0])
        return
    told[0].append(draw(st.integers(0, columns - 1)))
    told[1].append(draw(st.integers(0, 10)) / 10)
    cut = draw(st.integers(1, len(leaves) - 1))
    _grow(draw, leaves[:cut], columns, told)
    _grow(draw, leaves[cut:], columns, told)


def walked(told: Built, row: list[float], start: float) -> float:
    """Walk one row through all trees, one after the other."""
    columns, values = told
    place, total = 0, start

    def end_of(node: int) -> int:
        return node + 1 if columns[node] == LEAF else end_of(end_of(node + 1))

    while place < len(columns):
        node = place
        while columns[node] != LEAF:
            node = node + 1 if row[columns[node]] <= values[node] else end_of(node + 1)
        total += values[node]
        place = end_of(place)
    return total


@settings(max_examples=60, deadline=None)
@given(told=trees(), start=st.floats(-1, 1))
def test_sums_are_those_of_a_walk_never_fall_and_stay_in_their_range(told: Built, start: float) -> None:
    found = Trees(tuple(told[0]), tuple(told[1]))
    grid = np.array(list(product((0.0, 0.3, 0.5, 0.75, 1.0), repeat=3)))
    sums = found.sum(list(grid.T), start)
    assert sums.tolist() == [walked(told, row, start) for row in grid.tolist()]
    cube = sums.reshape(5, 5, 5)
    assert all(np.all(np.diff(cube, axis=axis) >= 0) for axis in range(3))
    low, high = found.range
    assert low + start - 1e-9 <= sums.min() <= sums.max() <= high + start + 1e-9


@pytest.mark.parametrize("leaves", [2, 3, 8, 31])
def test_they_are_scikit_learns_to_the_last_bit(leaves: int) -> None:
    random = np.random.default_rng(leaves)
    table = np.column_stack([random.random(900), random.integers(0, 101, 900) / 100, random.integers(0, 2, 900)])
    right = random.random(900) < 0.2 + 0.7 * (table[:, 0] > 0.4) * table[:, 1]
    model = HistGradientBoostingClassifier(
        max_iter=15, max_leaf_nodes=leaves, min_samples_leaf=5, early_stopping=False, monotonic_cst=[1, 1, 1]
    )
    with threadpool_limits(1, user_api="openmp"):
        model.fit(table, right)
    new = np.vstack([table, random.random((5000, 3)), [[0.0] * 3, [1.0] * 3]])  # more rows than are walked at once
    start = float(model._baseline_prediction.item())
    assert Trees.of_sklearn(model).sum(list(new.T), start).tolist() == model.decision_function(new).tolist()


def test_without_rows_or_trees_there_is_nothing_to_add() -> None:
    assert Trees((), ()).sum([np.array([0.5, 0.7])], 0.25).tolist() == [0.25, 0.25]
    assert Trees((), ()).range == (0.0, 0.0)
    assert Trees((LEAF,), (1.5,)).sum([np.empty(0)], 0.0).shape == (0,)


@pytest.mark.parametrize(
    ("columns", "values", "message"),
    [
        ((0, LEAF), (0.5, 1.0), "no end"),
        ((0, 1, LEAF, LEAF), (0.5, 0.5, 1.0, 2.0), "no end"),
        ((0, LEAF, LEAF), (0.5, 1.0, 0.9), "rise"),
        ((0, 1, LEAF, LEAF, LEAF), (0.5, 0.5, 0.0, 2.0, 1.0), "rise"),
        ((0, LEAF, LEAF), (0.5, 1.0), "a column and a value"),
        ((0, LEAF, LEAF), (math.nan, 1.0, 2.0), "finite"),
        ((LEAF,), (math.inf,), "finite"),
        ((-2, LEAF, LEAF), (0.5, 1.0, 2.0), "counted from 0"),
        ((LEAF,) * (MOST_NODES + 1), (0.0,) * (MOST_NODES + 1), f"at most {MOST_NODES}"),
    ],
)
def test_what_is_no_tree_or_falls_is_refused(columns: tuple[int, ...], values: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Trees(columns, values)
