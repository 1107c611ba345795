"""Platt scaling against scikit-learn, known parameters, and what it must refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from prompt4trust.calibration import Platt
from prompt4trust.metrics import auroc, expected_calibration_error, negative_log_likelihood
from prompt4trust.metrics.tally import FloatArray
from tests.prompt4trust.calibration.answers import overconfident


def test_recovers_the_parameters_that_made_the_data() -> None:
    platt = Platt.fit(*overconfident(200_000))
    assert platt.slope == pytest.approx(0.6, abs=0.02)
    assert platt.intercept == pytest.approx(-0.8, abs=0.04)
    assert platt.warnings() == []


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_unpenalised_logistic_regression(seed: int) -> None:
    stated, correct = overconfident(400, seed)
    platt = Platt.fit(stated, correct)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(logit(stated)[:, None], correct)
    assert platt.slope == pytest.approx(theirs.coef_[0, 0], abs=1e-3)
    assert platt.intercept == pytest.approx(theirs.intercept_[0], abs=1e-3)
    assert platt.apply(stated) == pytest.approx(theirs.predict_proba(logit(stated)[:, None])[:, 1], abs=1e-3)


def test_calibrates_and_keeps_the_ranking() -> None:
    platt = Platt.fit(*overconfident(2000, seed=1))
    stated, correct = overconfident(20_000, seed=2)
    corrected = platt.apply(stated)
    assert expected_calibration_error(stated, correct) > 0.2
    assert expected_calibration_error(corrected, correct) < 0.03
    assert auroc(corrected, correct) == pytest.approx(auroc(stated, correct), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float64, st.integers(20, 60), elements=st.integers(0, 100).map(lambda percent: percent / 100)),
    st.integers(0, 2**32),
)
def test_fits_anything_and_is_no_worse_than_one_confidence_for_all(stated: FloatArray, seed: int) -> None:
    correct = np.random.default_rng(seed).random(len(stated)) < stated
    correct[:2] = True, False
    platt = Platt.fit(stated, correct)
    corrected = platt.apply(stated)
    assert np.all((corrected >= 0) & (corrected <= 1))
    constant = np.full(len(stated), correct.mean())
    assert negative_log_likelihood(corrected, correct) <= negative_log_likelihood(constant, correct) + 1e-6
    assert Platt.from_parameters(platt.parameters()) == platt


def test_certainties_are_finite_evidence() -> None:
    corrected = Platt(1.0, 0.0).apply([0.0, 0.5, 1.0])
    assert corrected == pytest.approx([0.005, 0.5, 0.995], abs=1e-12)


def test_confidences_of_any_shape() -> None:
    assert Platt(1.0, 0.0).apply(0.3) == pytest.approx(0.3)
    assert Platt(1.0, 0.0).apply([[0.3, 0.4]]) == pytest.approx(np.array([[0.3, 0.4]]))


def test_one_confidence_for_all_becomes_the_accuracy() -> None:
    platt = Platt.fit(np.full(40, 0.95), np.arange(40) < 26)
    assert platt.slope == 0
    assert platt.apply([0.95, 0.2]) == pytest.approx([0.65, 0.65])
    assert "slope is zero" in platt.warnings()[0]


def test_a_negative_slope_is_kept_and_reported() -> None:
    stated, correct = overconfident(2000)
    platt = Platt.fit(1 - stated, correct)
    assert platt.slope < 0
    assert "inverts the ranking" in platt.warnings()[0]
    assert expected_calibration_error(platt.apply(1 - stated), correct) < 0.05


def test_separated_answers_give_a_finite_slope_and_a_warning() -> None:
    stated = np.linspace(0, 1, 40)
    platt = Platt.fit(stated, stated > 0.5)
    assert 10 < platt.slope < 1000
    assert "steep" in platt.warnings()[0]


@pytest.mark.parametrize("confidence", [-0.1, 1.1, math.nan])
def test_applies_to_confidences_only(confidence: float) -> None:
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        Platt(1.0, 0.0).apply([0.5, confidence])


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"slope": 1.0},
        {"slope": 1.0, "intercept": 0.0, "more": 1.0},
        {"slope": math.inf, "intercept": 0.0},
        {"slope": 1.0, "intercept": math.nan},
        {"slope": [1.0], "intercept": 0.0},
    ],
)
def test_foreign_parameters_are_refused(parameters: dict[str, float | list[float]]) -> None:
    with pytest.raises(ValueError, match="platt"):
        Platt.from_parameters(parameters)
