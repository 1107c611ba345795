"""A training run's best checkpoint: the earliest of the best after the start, whichever way its metric is better."""

from __future__ import annotations

import pytest

from tests.trustvqa.reports.test_training_page import evaluation, history


@pytest.mark.parametrize(
    ("objective", "evaluations", "best"),
    [
        ("reward", [(0, 9.0), (10, 1.0), (20, 2.0), (30, 2.0)], 20),
        ("reward", [(0, 9.0)], None),
        ("reward", [(0, 9.0), (10, None)], None),
    ],
)
def test_the_best_is_the_earliest_of_the_best_after_the_start(
    objective: str, evaluations: list[tuple[int, float | None]], best: int | None
) -> None:
    made = history(objective=objective, evaluations=[evaluation(*each) for each in evaluations])
    assert made.best == best


def test_of_an_error_the_least_is_best() -> None:
    found = [evaluation(0, 0.0, 0.01), evaluation(10, 0.0, 0.3), evaluation(20, 0.0, 0.2)]
    assert history(objective="ece", evaluations=found).best == 20


@pytest.mark.parametrize(("steps", "last"), [([0, 50], 50), ([0], None), ([], None)])
def test_where_none_is_chosen_the_last_one_stands(steps: list[int], last: int | None) -> None:
    assert history(objective=None, evaluations=[evaluation(step, 9.0 - step) for step in steps]).best == last
