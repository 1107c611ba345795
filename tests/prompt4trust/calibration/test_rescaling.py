"""Rescaling: every number moves, and no answer changes its place."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit

from prompt4trust.calibration import CalibratorArtifact, Rescaling, RescalingData, fit_artifact
from prompt4trust.selection import CalibratorReference
from tests.support.calibration_keys import whole_key

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
RANDOM = np.random.default_rng(5)
STATED = RANDOM.uniform(0.3, 0.99, 400)
CORRECT = RANDOM.random(400) < STATED**2
ARTIFACT = fit_artifact(
    STATED[:200],
    CORRECT[:200],
    name="platt-1",
    family="platt",
    key=whole_key(downstream="scripted", policy=None, estimator="verbalized", answer_template="answer@1"),
    dataset="fitting",
    clock=lambda: NOON,
    resamples=20,
)


def line(slope: float, intercept: float, clip: float = 0.0005, **changes: Any) -> Rescaling:
    data = RescalingData(dataset="all", data_hash="sha256:" + "0" * 64, n=400, judged=True)
    figures: dict[str, dict[str, float | None]] = {"ece": {"value": 0.05, "low": 0.0, "high": 0.1}}
    fields = {"metrics_before": figures, "metrics_after": figures, "change": figures, "judged": 400, "folds": 5}
    return Rescaling(
        slope=slope, intercept=intercept, clip=clip, data=(data,), calibrated=NOON, **{**fields, **changes}
    )


def rescaled(by: Rescaling) -> CalibratorArtifact:
    return ARTIFACT.model_copy(update={"rescaling": by, "format": 5})


def test_the_line_is_the_likeliest_one() -> None:
    found = Rescaling.line(STATED, CORRECT)
    x = logit(np.clip(np.round(STATED, 4), found[2], 1 - found[2]))

    def loss(line: Any) -> float:
        return float((np.logaddexp(0, line[0] * x + line[1]) - CORRECT * (line[0] * x + line[1])).sum())

    best = minimize(loss, [1.0, 0.0]).x
    assert found[:2] == pytest.approx(best, abs=2e-3)  # scikit-learn's penalty is weak, not nothing
    moved = line(*found).apply(STATED)
    assert moved == pytest.approx(expit(found[0] * x + found[1]))
    assert moved.mean() == pytest.approx(CORRECT.mean(), abs=1e-3)


def test_a_line_that_does_not_rise_is_refused() -> None:
    with pytest.raises(ValueError, match=r"does not rise .* turn the order"):
        Rescaling.line(1 - STATED, CORRECT)
    with pytest.raises(ValueError, match="does not rise"):
        Rescaling.line(np.full(400, 0.7), CORRECT)
    for slope in (0.0, -1.0):
        with pytest.raises(ValueError, match="slope"):
            line(slope, 0.0)


@given(
    st.floats(0.05, 20),
    st.floats(-5, 5),
    st.lists(st.floats(0, 1), min_size=2, max_size=30),
)
def test_ranks_stay_and_what_is_stated_never_turns(slope: float, intercept: float, stated: list[float]) -> None:
    artifact = rescaled(line(slope, intercept))
    assert np.array_equal(artifact.rank(stated), ARTIFACT.correct(stated))
    ranks, shown = np.round(artifact.rank(stated), 4), artifact.correct(stated)
    assert np.all((shown >= 0) & (shown <= 1))
    order = np.argsort(ranks, kind="stable")
    assert np.all(np.diff(shown[order]) >= 0)
    # What is equal to a guard is stated equal.
    assert all(shown[one] == shown[two] for one, two in pairwise(order) if ranks[one] == ranks[two])


def test_certainty_at_either_end_stays_away_from_0_and_1() -> None:
    assert line(1.5, 0.2, clip=0.01).apply([0.0, 1.0]) == pytest.approx(
        expit(1.5 * logit(np.array([0.01, 0.99])) + 0.2)
    )


def test_a_guard_that_was_tested_before_still_fits_and_figures_of_its_rows_are_in_sample() -> None:
    artifact = rescaled(line(1.2, 0.1))
    assert CalibratorReference.of(artifact) == CalibratorReference.of(ARTIFACT)
    assert artifact.was_fitted_on("sha256:" + "0" * 64)
    assert not ARTIFACT.was_fitted_on("sha256:" + "0" * 64)
    assert artifact.was_fitted_on(ARTIFACT.data_hash)
    assert (line(1.2, 0.1).n, line(1.2, 0.1).dataset) == (400, "all")


def test_the_file_keeps_it_and_older_software_is_not_told_half(tmp_path: Path) -> None:
    artifact = rescaled(line(1.2, 0.1))
    artifact.save(tmp_path / "platt-1.json")
    assert CalibratorArtifact.load(tmp_path / "platt-1.json") == artifact
    older = json.loads(artifact.model_dump_json()) | {"format": 4}
    with pytest.raises(ValueError, match="rescalings from format 5 on"):
        CalibratorArtifact.model_validate_json(json.dumps(older))
