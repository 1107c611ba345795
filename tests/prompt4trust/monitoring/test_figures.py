"""Live figures against the functions that evaluation uses, and their empty states."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import beta

from prompt4trust.metrics import brier_score, expected_calibration_error
from prompt4trust.monitoring import live_figures


def test_figures_are_those_of_evaluation() -> None:
    rng = np.random.default_rng(2)
    confidence = rng.choice([0.3, 0.6, 0.9], 300)
    correct = rng.random(300) < confidence
    given = confidence > 0.5
    confidence[:40] = np.nan  # these were not calibrated
    found = live_figures(confidence, correct, given)
    assert (found.reviewed, found.calibrated, found.answered) == (300, 260, given.sum())
    assert found.ece.value == pytest.approx(expected_calibration_error(confidence[40:], correct[40:]))
    assert found.brier.value == pytest.approx(brier_score(confidence[40:], correct[40:]))
    assert found.accuracy.value == pytest.approx(correct[40:].mean())
    assert found.mean_confidence.value == pytest.approx(confidence[40:].mean())
    assert found.chance.low < found.ece.value < found.chance.high
    wrong, n = int((given & ~correct).sum()), int(given.sum())
    assert found.errors == wrong
    assert found.selective_risk.value == wrong / n
    # Clopper and Pearson by quantiles of the beta distribution; Wilson written out.
    assert found.selective_risk.low == pytest.approx(beta.ppf(0.025, wrong, n - wrong + 1))
    assert found.selective_risk.high == pytest.approx(beta.ppf(0.975, wrong + 1, n - wrong))
    share, z = n / 300, 1.959964
    middle = (share + z**2 / 600) / (1 + z**2 / 300)
    half = z / (1 + z**2 / 300) * np.sqrt(share * (1 - share) / 300 + z**2 / (4 * 300**2))
    assert (found.coverage.low, found.coverage.high) == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_what_is_not_there_is_undefined_and_not_zero() -> None:
    empty = live_figures([], [], []).as_json()
    assert empty["reviewed"] == 0
    assert empty["ece"] == empty["coverage"] == {"value": None, "low": None, "high": None}
    json.dumps(empty, allow_nan=False)
    deferred = live_figures([np.nan, np.nan], [True, False], [False, False])
    assert deferred.coverage.value == 0
    assert np.isnan(deferred.selective_risk.value)
    assert np.isnan(deferred.ece.value)
    few = live_figures([0.9] * 3, [True] * 3, [True] * 3)
    assert few.ece.value == pytest.approx(0.1)
    assert np.isnan([few.ece.low, few.brier.high, few.mean_confidence.low]).all()
    assert (few.accuracy.value, few.accuracy.high) == (1, 1)
    assert few.accuracy.low < 0.5
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        live_figures([1.2], [True], [True])
    with pytest.raises(ValueError, match="shape"):
        live_figures([0.2], [True, False], [True])
