"""Intervals of calibration errors: they hold the sample's error always, and the population's as often as promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import binom

from prompt4trust.metrics import adaptive_calibration_error, expected_calibration_error
from prompt4trust.metrics.error_intervals import ace_estimate, ece_estimate
from prompt4trust.metrics.tally import Tally
from tests.prompt4trust.metrics.rows import ROWS, Rows


@settings(max_examples=60)
@given(ROWS)
def test_the_error_lies_within_its_interval(rows: Rows) -> None:
    tally = Tally.of(*rows)
    for estimate, error in ((ece_estimate, expected_calibration_error), (ace_estimate, adaptive_calibration_error)):
        found = estimate(tally, draws=20)
        assert found.value == error(*rows)
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert 0 <= found.debiased <= 1


@pytest.mark.parametrize(
    ("stated", "wrong_by", "n", "truth"),
    [
        # Calibrated, where the percentile bootstrap never held the 0.
        (np.arange(76, 101) / 100, 0.0, 50, 0.0),
        (np.arange(76, 101) / 100, 0.3, 200, 0.3),
        (np.arange(6, 101) / 100, 0.06, 200, 0.06),
    ],
)
def test_the_interval_holds_the_population_s_error(
    stated: np.ndarray[tuple[int], np.dtype[np.float64]], wrong_by: float, n: int, truth: float
) -> None:
    random, samples = np.random.default_rng(5), 100
    held = 0
    for sample in range(samples):
        confidence = random.choice(stated, n)
        right = random.random(n) < confidence - wrong_by
        found = ece_estimate(Tally.of(confidence, right), draws=100, seed=sample)
        held += found.low <= truth <= found.high
    # What a true 95 % yields in all but 1 of 500 runs.
    assert binom.ppf(0.001, samples, 0.95) <= held <= binom.ppf(0.999, samples, 0.95)


@pytest.mark.parametrize("few", [True, False])
def test_the_interval_holds_an_error_of_one_bin_and_one_of_all_bins(few: bool) -> None:
    # Two errors of about one size, which noise adds to differently: 0.4 in one bin, and 0.05 in each, up and down.
    random, samples, held = np.random.default_rng(6), 100, 0
    for sample in range(samples):
        per_cent = random.integers(10, 91, 250)
        confidence, bin_ = per_cent / 100, (per_cent + 9) // 10
        off = np.where(bin_ == 9, 0.4, 0) if few else np.where(bin_ % 2 == 0, 0.05, -0.05)
        truth = 0.4 * 10 / 81 if few else 0.05
        right = random.random(250) < confidence - off
        found = ece_estimate(Tally.of(confidence, right), draws=100, seed=sample)
        held += found.low <= truth <= found.high
    assert binom.ppf(0.001, samples, 0.95) <= held


def test_the_debiased_error_takes_the_noise_away() -> None:
    random = np.random.default_rng(2)
    for n, off in ((100, 0.0), (2000, 0.1)):
        confidence = random.choice([0.55, 0.65, 0.75, 0.85, 0.95], (20, n))
        right = random.random((20, n)) < confidence - off
        found = [ece_estimate(Tally.of(*rows), draws=100) for rows in zip(confidence, right, strict=True)]
        assert np.mean([each.debiased for each in found]) == pytest.approx(off, abs=0.03)
        assert all(each.low <= each.debiased <= each.value for each in found)


def test_one_confidence_makes_one_bin_however_many_are_asked_for() -> None:
    tally = Tally.of([0.9] * 200, [True] * 130 + [False] * 70)
    adaptive, fixed = ace_estimate(tally), ece_estimate(tally)
    assert (adaptive.low, adaptive.high) == pytest.approx((fixed.low, fixed.high), abs=0.01)
    # One gap is a share less a constant: Wilson's interval is 0.582 to 0.713.
    assert (fixed.low, fixed.high) == pytest.approx((0.9 - 0.713, 0.9 - 0.582), abs=0.012)


def test_certainties_that_hold_leave_nothing_to_doubt() -> None:
    found = ece_estimate(Tally.of([0.0, 1.0] * 50, [False, True] * 50))
    assert (found.value, found.low, found.debiased) == (0, 0, 0)
    assert 0 < found.high < 0.1


def test_the_seed_decides() -> None:
    tally = Tally.of(np.arange(100) / 100, np.arange(100) % 3 > 0)
    assert ece_estimate(tally, seed=1) == ece_estimate(tally, seed=1) != ece_estimate(tally, seed=2)


def test_what_cannot_be_estimated_is_refused() -> None:
    tally = Tally.of([0.5, 0.6], [True, False])
    with pytest.raises(ValueError, match="at least one draw"):
        ece_estimate(tally, draws=0)
    with pytest.raises(ValueError, match="at least one bin"):
        ace_estimate(tally, 0)
    both = Tally(tally.levels, np.repeat(tally.right, 2, axis=0), np.repeat(tally.wrong, 2, axis=0))
    with pytest.raises(ValueError, match="of one sample, not of 2"):
        ece_estimate(both)
