"""Refits on reviews that may be wrong: their comparison with what the gateway applies, and what struck reviews do."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.evaluation import Prediction, fit_calibrator
from prompt4trust.reviewing import FlipRates, SingleReview, compare, held_out
from tests.support.calibration_keys import whole_key
from trustvqa.cli.models.review_noise import NoisyAnswers, Reviewers

KEY = whole_key(estimator="cgp", downstream="model-1", policy="policy-1", answer_template="answer-compact@1")
DAY = datetime(2026, 3, 1, tzinfo=UTC)
CERTAIN = Reviewers({}, None, FlipRates(), flips=0.0)


def drawn(n: int, seed: int, ct: float, mr: float) -> list[Prediction]:
    """Answers of two modalities, whose stated confidences tell nothing of which is right."""
    random = np.random.default_rng(seed)
    shares = [("CT", ct), ("MR", mr)]
    return [
        Prediction(
            id=f"{seed}-{place}",
            estimator="cgp",
            truth="given" if random.random() < shares[place % 2][1] else "another",
            answer="given",
            confidence=round(float(random.uniform(0.5, 0.95)), 2),
            groups={"modality": shares[place % 2][0]},
        )
        for place in range(n)
    ]


def fitted(rows: list[Prediction], name: str, *strata: str) -> CalibratorArtifact:
    return fit_calibrator(
        rows, name=name, family="platt", key=KEY, dataset="d", clock=lambda: DAY, resamples=5, strata=strata
    )


def test_a_refit_has_to_be_no_worse_than_the_corrections_by_group_that_are_live() -> None:
    live = fitted(drawn(600, 1, 0.95, 0.55), "live", "modality")
    now = drawn(800, 2, 0.86, 0.42)
    answers, new = NoisyAnswers(now, CERTAIN, 0), fitted(now, "new")
    with pytest.raises(ValueError, match="not shown to be no worse than live"):
        answers.accept(new, live, 5)
    # It would pass for no worse than what is live without its corrections by group, which nobody gets.
    assert answers.accept(new, live.model_copy(update={"by_group": None}), 5).passes


def test_a_refit_by_group_is_judged_by_its_corrections_by_group() -> None:
    live, now = fitted(drawn(600, 1, 0.9, 0.45), "live"), drawn(400, 2, 0.9, 0.45)
    answers = NoisyAnswers(now, CERTAIN, 0)
    found = answers.accept(fitted(now, "new", "modality"), live, 5)
    stated, right = np.array([row.confidence for row in now], dtype=float), np.array([row.correct for row in now])
    groups = [row.groups for row in now]
    new = held_out("platt", stated, lambda places: right[places], groups=groups, strata=["modality"])
    assert found == compare(new, live.correct(stated, {}, groups), right, ~right, [FlipRates()])
    with pytest.raises(ValueError, match="not shown to be no worse than live"):
        answers.accept(fitted(now, "new"), live, 5)


def test_however_many_reviews_were_struck_they_only_make_the_test_harder() -> None:
    def said(count: int, *, struck: bool) -> list[SingleReview]:
        return [SingleReview(f"{struck} {place}", DAY, "dr. x", struck, struck=struck) for place in range(count)]

    found = Reviewers.of([], [*said(10, struck=True), *said(5, struck=False)], flips=0.1)
    assert found.struck == FlipRates(0.0, 0.3)
    assert FlipRates(0.1, 0.3) in found.region
    assert "30 % of those that should have been wrong" in found.lines()[1]
