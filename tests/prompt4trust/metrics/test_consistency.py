"""The band of a perfectly calibrated forecaster: against a plain loop, and against what it is for."""

from __future__ import annotations

import numpy as np
import pytest

from prompt4trust.metrics import expected_calibration_error
from prompt4trust.metrics.calibration import brier_of, ece_of
from prompt4trust.metrics.consistency import consistency_band

RANDOM = np.random.default_rng(0)
STATED = RANDOM.integers(50, 100, 400) / 100


def test_agrees_with_drawing_one_answer_after_another() -> None:
    drawn = [expected_calibration_error(STATED, RANDOM.random(400) < STATED) for _ in range(2000)]
    band = consistency_band(STATED, ece_of, resamples=2000)
    assert band.value == pytest.approx(np.mean(drawn), abs=0.001)
    assert (band.low, band.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.002)


def test_the_expected_brier_score_is_known() -> None:
    band = consistency_band(STATED, brier_of, resamples=4000)
    assert band.value == pytest.approx(float(np.mean(STATED * (1 - STATED))), abs=0.001)


def test_holds_a_calibrated_model_19_times_in_20_and_an_overconfident_one_never() -> None:
    band = consistency_band(STATED, ece_of)
    inside = [
        band.low <= expected_calibration_error(STATED, RANDOM.random(400) < STATED) <= band.high for _ in range(400)
    ]
    assert 0.91 <= np.mean(inside) <= 0.99
    assert expected_calibration_error(STATED, RANDOM.random(400) < STATED - 0.2) > band.high


def test_narrows_with_the_number_of_answers_and_repeats_with_the_seed() -> None:
    few, many = (consistency_band(np.tile(STATED, times), ece_of, resamples=200) for times in (1, 25))
    assert many.value == pytest.approx(few.value / 5, rel=0.15)
    assert consistency_band(STATED, ece_of, resamples=50) == consistency_band(STATED, ece_of, resamples=50)


def test_certainties_leave_nothing_to_chance() -> None:
    band = consistency_band([0.0, 1.0, 1.0], ece_of, resamples=10)
    assert (band.value, band.low, band.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("confidence", "resamples", "message"),
    [([0.5], 0, "resample"), ([1.5], 10, "in \\[0, 1\\]"), ([], 10, "no rows")],
)
def test_refuses(confidence: list[float], resamples: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        consistency_band(confidence, ece_of, resamples=resamples)
