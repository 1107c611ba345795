"""Curves against hand calculations and the metrics whose pictures they are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

from prompt4trust.calibration import reliability
from prompt4trust.metrics import area_under_risk_coverage, confident_error_count
from prompt4trust.metrics.consistency import reliability_band
from prompt4trust.metrics.curves import confidence_counts, risk_coverage_curve
from tests.prompt4trust.metrics.rows import ROWS, Rows


def test_risk_coverage_by_hand() -> None:
    # In order: right, wrong, then a tie of one right and one wrong answer, of which half an error comes first.
    curve = risk_coverage_curve([0.9, 0.8, 0.5, 0.5], [True, False, True, False])
    assert curve == [(0.25, 0.0), (0.5, 0.5), (0.75, float(Fraction(3, 2) / 3)), (1.0, 0.5)]


@given(ROWS)
def test_the_mean_risk_is_the_area(rows: Rows) -> None:
    confidence, correct = rows
    curve = risk_coverage_curve(confidence, correct, points=len(confidence))
    assert len(curve) == len(confidence)
    assert np.mean([risk for _, risk in curve]) == pytest.approx(area_under_risk_coverage(confidence, correct))
    assert curve[-1] == pytest.approx((1.0, 1 - np.mean(correct)))


def test_many_rows_are_thinned_evenly() -> None:
    curve = risk_coverage_curve(np.linspace(0, 1, 1000), np.ones(1000, dtype=bool), points=50)
    assert [coverage for coverage, _ in curve] == pytest.approx(np.arange(1, 51) / 50)


@given(ROWS)
def test_counts_agree_with_the_metric_at_its_threshold(rows: Rows) -> None:
    confidence, correct = rows
    right, wrong = confidence_counts(confidence, correct, bins=20)
    assert sum(right) + sum(wrong) == len(confidence)
    assert sum(right) == np.sum(correct)
    assert sum(wrong[18:]) == confident_error_count(confidence, correct, 0.9)


def test_counts_by_hand() -> None:
    assert confidence_counts([0.0, 0.5, 0.49, 1.0], [True, False, True, True], bins=2) == ([2, 1], [0, 1])
    with pytest.raises(ValueError, match="at least one bin"):
        confidence_counts([0.5], [True], bins=0)
    with pytest.raises(ValueError, match="at least one point"):
        risk_coverage_curve([0.5], [True], points=0)


def test_the_band_of_a_bin_is_the_binomial_one() -> None:
    confidence = np.full(400, 0.75)
    band = reliability_band(confidence, bins=10, resamples=4000)
    assert [index for index, each in enumerate(band) if each] == [7]
    low, high = band[7] or (0, 0)
    # Normal approximation of a share of 400: 0.75 -+ 1.96 * sqrt(0.75 * 0.25 / 400).
    assert low == pytest.approx(0.75 - 0.0424, abs=0.006)
    assert high == pytest.approx(0.75 + 0.0424, abs=0.006)


def test_the_band_uses_the_bins_of_the_diagram() -> None:
    confidence = np.array([0.0, 0.1, 0.10001, 0.9, 1.0])
    counted = [each.n for each in reliability(confidence, np.ones(5, dtype=bool))]
    assert [each is not None for each in reliability_band(confidence, resamples=5)] == [n > 0 for n in counted]
    assert reliability_band([1.0], resamples=5)[9] == (1.0, 1.0)
    with pytest.raises(ValueError, match="at least one bin"):
        reliability_band([0.5], bins=0)
