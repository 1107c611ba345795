"""Trials of selection on predictions: the right rows, the right confidence, the right counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from prompt4trust.calibration import CalibratorArtifact, fit_artifact
from prompt4trust.evaluation import Prediction
from prompt4trust.evaluation.predictions import Failure
from prompt4trust.evaluation.selection_trials import checked_answers, try_coverages, try_risks
from prompt4trust.selection import fit_guard
from tests.support.calibration_keys import whole_key

PAIR = whole_key(downstream="d", policy=None, estimator="consistency", answer_template="answer-compact@1")


def row(index: int, confidence: float | None = 0.9, answer: str | None = "A", **changes: Any) -> Prediction:
    """A prediction whose two options have probabilities."""
    signals = {"option:A": 0.7, "option:B": 0.3, "stated": 0.8}
    fields: dict[str, Any] = {"truth": "A", "signals": signals, "groups": {"family": "side"}, **changes}
    return Prediction(id=f"q{index}", estimator="consistency", confidence=confidence, answer=answer, **fields)


def two_signal() -> CalibratorArtifact:
    rng = np.random.default_rng(0)
    agreement, stated = rng.random(200), rng.random(200)
    return fit_artifact(
        agreement,
        rng.random(200) < (agreement + stated) / 2,
        name="two-signal",
        family="two-signal",
        key=PAIR,
        dataset="x",
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        signals={"stated": stated},
        resamples=10,
    )


def test_failures_and_unknown_truths_are_left_out_and_invalid_replies_are_not() -> None:
    away = Failure(service="downstream", detail="away")
    rows = [row(0), row(1, truth=None), row(2, None, None, failure=away), row(3, None, None, invalid="no_answer")]
    first, invalid = checked_answers(rows)
    assert (first.id, first.confidence, first.correct, first.truth) == ("q0", 0.9, True, "A")
    assert (first.options, first.groups) == ({"A": 0.7, "B": 0.3}, {"family": "side"})
    assert (invalid.id, invalid.confidence, invalid.correct) == ("q3", None, False)


def test_confidences_are_corrected_as_the_gateway_does_it_and_one_without_its_signals_is_none() -> None:
    fitted = two_signal()
    whole, lacking = checked_answers([row(0), row(1, signals={})], fitted)
    assert whole.confidence == round(float(fitted.calibrator().apply(0.9, {"stated": 0.8})), 4)
    assert whole.confidence != checked_answers([row(0, signals={"stated": 0.1})], fitted)[0].confidence
    assert lacking.confidence is None


def test_what_is_given_and_held_is_counted() -> None:
    rows = [row(index, 0.9 if index % 2 else 0.4, "A" if index % 2 or index % 4 else "B") for index in range(400)]
    guard = fit_guard(
        checked_answers(rows), name="g", key=PAIR, dataset="x", clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)
    )
    others = checked_answers([row(1000, 0.9), row(1001, 0.9, "B"), row(1002, 0.4), row(1003, None, None, truth="B")])
    none, some, everything = try_risks(guard, others, (0.0, 0.05, 1.0), 0.05)
    assert (none.limit, none.questions, none.answered, none.wrong) == (None, 4, 0, 0)
    assert (some.answered, some.wrong) == (2, 1)
    assert (everything.answered, everything.wrong) == (3, 1)  # without a verdict there is nothing to give
    small, large = try_coverages(guard, others, (0.01, 0.99))
    assert small.questions == large.questions == {"": 4}
    # The right option always had 0.7 in the evidence, so B never qualifies.
    assert small.held == large.held == {"": 3}
    assert large.options == {"": 4}
    assert try_coverages(guard, [], (0.5,)) == []
    with pytest.raises(ValueError, match="coverage"):
        try_coverages(guard, others, (1.0,))
