"""The benchmark of selection on answers whose truth is known: a small, fast version with a fixed seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.selection.study import try_promises, try_sets
from prompt4trust.selection import CheckedAnswer


@pytest.fixture(scope="module")
def pool() -> list[CheckedAnswer]:
    """6 000 overconfident answers, the most confident of them less right than the next; one in fifty is invalid."""
    rng = np.random.default_rng(0)
    stated = np.array([0.99, 0.97, 0.95, 0.9, 0.8, 0.6])
    right = np.array([0.85, 0.97, 0.93, 0.8, 0.6, 0.4])
    level = rng.choice(6, 6000, p=[0.03, 0.2, 0.2, 0.2, 0.2, 0.17])
    answers = []
    for index, at in enumerate(level):
        correct = bool(rng.random() < right[at])
        stated_of = dict(zip("ABCD", rng.dirichlet([2 * right[at], 1, 1, 0.5]).tolist(), strict=True))
        answers.append(
            CheckedAnswer(
                f"q{index}",
                float(stated[at]) if index % 50 else None,
                correct and bool(index % 50),
                "A",
                stated_of,
                {"family": ("side", "size")[at % 2]},
            )
        )
    return answers


def test_promises_are_broken_no_more_often_than_allowed_and_cost_little(pool: list[CheckedAnswer]) -> None:
    splits = 150
    found = try_promises(pool, (0.05, 0.1, 0.2), rows=1500, splits=splits)
    for each in found:
        assert each.broken * splits <= binom.ppf(0.999, splits, 0.05)
    assert [each.max_risk for each in found] == [0.05, 0.1, 0.2]
    assert all(one.coverage <= other.coverage for one, other in pairwise(found))
    last = found[-1]
    assert last.silent < 0.02
    assert last.error < 0.2
    assert last.coverage > 0.9 * last.hindsight
    # Promises at a level that is no promise are broken: the count above can fail.
    assert try_promises(pool, (0.1,), rows=1500, splits=40, delta=0.9)[0].broken > 0.2


def test_sets_hold_what_is_asked_for_in_all_and_in_each_group(pool: list[CheckedAnswer]) -> None:
    for group in (None, "family"):
        for each in try_sets(pool, (0.8, 0.9), rows=1500, splits=12, group=group):
            # 6 000 looks, of 12 divisions: a standard error of about 0.005 and as much from the divisions.
            assert each.held == pytest.approx(each.coverage, abs=0.02)
            assert set(each.by_group) == ({"side", "size"} if group else set())
            for share in each.by_group.values():
                assert share == pytest.approx(each.coverage, abs=0.03)
    assert try_sets([CheckedAnswer("q", 0.5, True, "A")] * 50, (0.8,), rows=10) == []
