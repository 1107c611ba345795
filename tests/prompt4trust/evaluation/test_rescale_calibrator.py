"""A rescaling fitted on all checked answers: what a guard answers stays, answer for answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prompt4trust.calibration import CalibratorArtifact, ReplacedRows
from prompt4trust.evaluation import CheckedRun, Prediction, fit_calibrator, rescale_calibrator
from prompt4trust.evaluation.prediction_arrays import PredictionArrays
from prompt4trust.evaluation.selection_trials import checked_answers, try_group_risks, try_risks
from prompt4trust.metrics import negative_log_likelihood
from prompt4trust.selection import fit_guard
from tests.support.calibration_keys import whole_key

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
RISKS = [each / 100 for each in range(1, 60)]
KEY = whole_key(downstream="scripted", policy=None, estimator="verbalized", answer_template="answer@1")


def rows(name: str, n: int, seed: int, bias: float = 0.0) -> list[Prediction]:
    """Answers about pictures of four questions each, right as often as stated plus a bias; CT more often than MR."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(n):
        stated = float(rng.choice([0.3, 0.5, 0.55, 0.7, 0.9, 0.95, 1.0]))
        group = ("CT", "MR")[index % 2]
        right = rng.random() < stated + bias + (0.1 if group == "CT" else -0.1)
        found.append(
            Prediction(
                id=f"{name}-{index}", estimator="verbalized", truth="A", answer="A" if right else "B",
                confidence=stated, picture=f"{name}-{index // 4}", groups={"modality": group},
            )
        )  # fmt: skip
    return found


FITTING, VALIDATION, GUARDING = rows("f", 120, 1, -0.15), rows("v", 200, 2), rows("g", 400, 3)
RUNS = [CheckedRun("fitting", "1", FITTING), CheckedRun("validation", "2", VALIDATION),
        CheckedRun("guarding", "3", GUARDING)]  # fmt: skip


def calibrator(family: str = "platt", strata: Sequence[str] = ()) -> CalibratorArtifact:
    return fit_calibrator(
        FITTING, name="calibrator", family=family, key=KEY, dataset="fitting", clock=lambda: NOON, strata=strata,
        resamples=20,
    ).model_copy(update={"questions": "1"})  # fmt: skip


def rescaled(artifact: CalibratorArtifact, runs: Sequence[CheckedRun] = RUNS) -> CalibratorArtifact:
    return rescale_calibrator(artifact, runs, clock=lambda: LATER, resamples=50)


@pytest.mark.parametrize("family", ["platt", "isotonic", "histogram", "venn-abers", "identity"])
def test_a_guard_answers_the_very_same_at_every_risk(family: str) -> None:
    before = calibrator(family)
    after = rescaled(before)
    assert after.rescaling is not None
    assert after.rescaling.slope > 0
    others = rows("t", 500, 9)
    assert checked_answers(others, before) == checked_answers(others, after)
    guards = [
        fit_guard(checked_answers(GUARDING, each), name="g", key=KEY, dataset="g", clock=lambda: NOON, calibrator=each)
        for each in (before, after)
    ]
    assert guards[0] == guards[1]  # one that is made later is the same, too
    trials = [try_risks(guards[0], checked_answers(others, each), RISKS, 0.05) for each in (before, after)]
    assert trials[0] == trials[1]
    assert any(0 < each.answered < 500 for each in trials[0])
    stated = [PredictionArrays.of(others).calibrated(each).confidence for each in (before, after)]
    assert not np.allclose(stated[0], stated[1], atol=0.01)
    right = PredictionArrays.of(others).correct
    assert negative_log_likelihood(stated[1], right) < negative_log_likelihood(stated[0], right)


def test_by_group_every_group_answers_the_very_same() -> None:
    before = calibrator(strata=["modality"])
    after = rescaled(before)
    others = rows("t", 500, 9)
    guard = fit_guard(
        checked_answers(GUARDING, before), name="g", key=KEY, dataset="g", clock=lambda: NOON, calibrator=before,
        strata=["modality"],
    )  # fmt: skip
    trials = [try_group_risks(guard, checked_answers(others, each), RISKS, 0.05) for each in (before, after)]
    assert trials[0] == trials[1]
    assert set(trials[0]) == {"modality CT", "modality MR"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(0.02, 50), st.floats(-8, 8), st.integers(0, 99), st.sampled_from(["split", "together"]))
def test_whatever_the_line_every_decision_stays_and_the_shown_threshold_agrees_with_it(
    slope: float, intercept: float, seed: int, ties: str
) -> None:
    before = BEFORE
    line = AFTER.rescaling
    assert line is not None
    after = AFTER.model_copy(update={"rescaling": line.model_copy(update={"slope": slope, "intercept": intercept})})
    guard = fit_guard(
        checked_answers(GUARDING, before), name="g", key=KEY, dataset="g", clock=lambda: NOON, calibrator=before,
        ties="split" if ties == "split" else "together",
    )  # fmt: skip
    others = rows("t", 60, seed)
    rule = guard.risk_rule(0.05)
    shown = PredictionArrays.of(others).calibrated(after).confidence
    pairs = zip(checked_answers(others, before), checked_answers(others, after), shown, strict=True)
    for one, two, confidence in pairs:
        assert one.confidence is not None
        assert one.confidence == two.confidence
        for risk in RISKS:
            if (limit := rule.at(risk)) is not None:
                threshold = float(after.restate(limit.confidence))
                given_before = guard.score(one.confidence, [one.id]) >= limit.score
                assert (confidence >= threshold) if given_before else (confidence <= threshold)


BEFORE = calibrator()
AFTER = rescaled(BEFORE)


def test_it_says_what_it_rests_on_and_is_judged_by_answers_that_the_calibrator_has_not_seen() -> None:
    found = AFTER.rescaling
    assert found is not None
    assert [(each.dataset, each.n, each.judged) for each in found.data] == [
        ("fitting", 120, False), ("validation", 200, True), ("guarding", 400, True),
    ]  # fmt: skip
    assert (found.n, found.judged, AFTER.n) == (720, 600, BEFORE.n)
    assert (AFTER.created, found.calibrated, BEFORE.created) == (LATER, NOON, NOON)
    after, before = found.metrics_after["nll"]["value"], found.metrics_before["nll"]["value"]
    assert after is not None
    assert before is not None
    assert found.change["nll"]["value"] == pytest.approx(after - before)
    assert after < before
    new = PredictionArrays.of([*VALIDATION, *GUARDING])
    assert before == pytest.approx(negative_log_likelihood(new.calibrated(BEFORE).confidence, new.correct))
    # Done again it is the same, and remembers when the calibrator was fitted.
    again = rescaled(AFTER).rescaling
    assert again == found


def test_the_run_fitted_on_is_known_by_its_questions_too() -> None:
    asked_anew = [row.model_copy(update={"confidence": (row.confidence or 0) * 0.9999}) for row in FITTING]
    found = rescaled(BEFORE, [CheckedRun("anew", "1", asked_anew), *RUNS[1:]]).rescaling
    assert found is not None
    assert [each.judged for each in found.data] == [False, True, True]


def test_what_cannot_be_moved_or_is_of_no_use_is_refused() -> None:
    with pytest.raises(ValueError, match="a question is there twice"):
        rescaled(BEFORE, [*RUNS, RUNS[1]])
    with pytest.raises(ValueError, match=r"only 0 answers .* are others than calibrator was fitted on; it takes 50"):
        rescaled(BEFORE, RUNS[:1])
    all_right = [row.model_copy(update={"answer": "A"}) for row in VALIDATION]
    with pytest.raises(ValueError, match="5 right and 5 wrong ones"):
        rescaled(BEFORE, [RUNS[0], CheckedRun("v", None, all_right)])
    turned = [row.model_copy(update={"confidence": 1 - (row.confidence or 0)}) for row in (*VALIDATION, *GUARDING)]
    with pytest.raises(ValueError, match="does not rise"):
        rescaled(BEFORE, [CheckedRun("turned", None, turned)])
    replaced = ReplacedRows(n=20, data_hash="sha256:" + "1" * 64, drawn_from="sha256:" + "1" * 64)
    with pytest.raises(ValueError, match="right option was replaced"):
        rescaled(BEFORE.model_copy(update={"replaced": replaced}))
    # The best line for these answers already: what others of them say of it can only be worse.
    best = fit_calibrator(
        VALIDATION, name="best", family="platt", key=KEY, dataset="v", clock=lambda: NOON, resamples=20
    ).model_copy(update={"data_hash": "sha256:" + "2" * 64})  # fmt: skip
    with pytest.raises(ValueError, match="rescaling is of no use: on 200 answers"):
        rescaled(best, RUNS[1:2])
