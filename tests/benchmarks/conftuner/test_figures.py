"""ConfTuner's stage before and after: figures by hand, on the same questions or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks.conftuner.figures import report
from prompt4trust.evaluation import Prediction


def _rows(stated: Sequence[float | None]) -> list[Prediction]:
    """Answer "A" each time, right for every other question; None is a reply without a verdict."""
    return [
        Prediction(id=f"q{place}", estimator="m", truth="AB"[place % 2], answer="A", confidence=said)
        if said is not None
        else Prediction(id=f"q{place}", estimator="m", truth="AB"[place % 2], invalid="empty")
        for place, said in enumerate(stated)
    ]


def test_each_is_measured_as_it_states_and_less_what_was_before() -> None:
    told = report({"before": _rows([0.95] * 8), "seed 0": _rows([0.9, 0.2] * 4)}, resamples=20)
    assert set(told) == {"before", "seed 0", "seed 0 less before"}
    assert told["before"]["brier"]["value"] == pytest.approx((0.05**2 + 0.95**2) / 2)
    assert told["seed 0"]["brier"]["value"] == pytest.approx((0.1**2 + 0.2**2) / 2)
    less = told["seed 0 less before"]
    assert less["brier"]["value"] == pytest.approx((0.1**2 + 0.2**2) / 2 - (0.05**2 + 0.95**2) / 2)
    assert less["accuracy"] == {"value": 0, "low": 0, "high": 0}
    assert less["auroc"]["value"] == pytest.approx(0.5)
    assert less["confident_error_share"]["value"] == pytest.approx(-1)


def test_a_reply_without_a_verdict_is_wrong_and_counted() -> None:
    told = report({"before": _rows([0.9] * 4), "seed 0": _rows([0.9, 0.9, None, 0.9])}, resamples=20)
    assert told["seed 0"]["valid"]["value"] == 0.75
    assert told["seed 0 less before"]["accuracy"]["value"] == pytest.approx(-0.25)


def test_other_questions_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same questions"):
        report({"before": _rows([0.9] * 4), "seed 0": _rows([0.9] * 3)}, resamples=20)
