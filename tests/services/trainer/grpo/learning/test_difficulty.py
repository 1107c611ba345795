"""A question's difficulty: its replies' Brier score or error, against scikit-learn."""

from __future__ import annotations

import pytest
from sklearn.metrics import brier_score_loss, zero_one_loss

from services.trainer.grpo.learning.difficulty import difficulty_of
from services.trainer.grpo.scoring import GuidedOutcome
from tests.services.trainer.grpo.outcomes import outcome


def test_it_is_the_mean_score_of_the_replies() -> None:
    outcomes = [outcome("A", 0.9), outcome("B", 0.7), outcome("A", 0.2)]  # A is right
    right, stated = [1, 0, 1], [0.9, 0.7, 0.2]
    assert difficulty_of(outcomes, "confidence_error") == pytest.approx(brier_score_loss(right, stated))
    assert difficulty_of(outcomes, "error") == pytest.approx(zero_one_loss([1, 1, 1], right))


@pytest.mark.parametrize("by", ["confidence_error", "error"])
def test_an_invalid_reply_is_as_hard_as_can_be_and_a_lost_one_says_nothing(by: str) -> None:
    lost: GuidedOutcome = outcome("A", 1.0, None)
    assert difficulty_of([outcome(None)], by) == 1.0
    assert difficulty_of([outcome(None), lost, outcome("A", 1.0)], by) == 0.5
    assert difficulty_of([lost], by) is None
