"""Intervals against a resampling loop and known distributions; the summary's two views."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from prompt4trust.metrics import (
    METRICS,
    Interval,
    accuracy,
    accuracy_at_coverage,
    adaptive_calibration_error,
    area_under_risk_coverage,
    auroc,
    bootstrap_intervals,
    brier_score,
    confident_error_count,
    confident_error_share,
    coverage_at_risk,
    expected_calibration_error,
    mean_confidence,
    negative_log_likelihood,
    smooth_calibration_error,
    summarize,
)
from prompt4trust.metrics.calibration import accuracy_of
from prompt4trust.metrics.selective import auroc_of
from prompt4trust.metrics.tally import Tally

RANDOM = np.random.default_rng(7)
CONFIDENCE = RANDOM.integers(0, 101, 60) / 100
CORRECT = RANDOM.random(60) < CONFIDENCE
VALID = RANDOM.random(60) < 0.9
BY_ROWS: dict[str, Callable[..., float]] = {
    "accuracy": accuracy,
    "mean_confidence": mean_confidence,
    "ece": expected_calibration_error,
    "ace": adaptive_calibration_error,
    "smooth_ece": smooth_calibration_error,
    "brier": brier_score,
    "nll": negative_log_likelihood,
    "auroc": auroc,
    "aurc": area_under_risk_coverage,
    "coverage_at_5pct_error": coverage_at_risk,
    "coverage_at_10pct_error": lambda p, right: coverage_at_risk(p, right, 0.1),
    "accuracy_at_80pct_coverage": accuracy_at_coverage,
    "confident_error_share": confident_error_share,
    "confident_error_count": confident_error_count,
}


def test_every_metric_of_a_report_has_its_interval_from_resampled_rows() -> None:
    resamples, seed = 40, 3
    drawn = np.random.default_rng(seed).integers(60, size=(resamples, 60))
    intervals = bootstrap_intervals(CONFIDENCE, CORRECT, METRICS, resamples=resamples, seed=seed)
    assert set(intervals) == set(BY_ROWS)
    for name, metric in BY_ROWS.items():
        values = [metric(CONFIDENCE[rows], CORRECT[rows]) for rows in drawn]
        low, high = np.percentile(values, [2.5, 97.5])
        expected = (metric(CONFIDENCE, CORRECT), low, high)
        found = intervals[name]
        assert (found.value, found.low, found.high) == pytest.approx(expected, abs=1e-9), name


def test_accuracy_s_interval_is_the_binomial_one() -> None:
    correct = np.arange(1000) < 700
    interval = bootstrap_intervals(np.full(1000, 0.5), correct, {"accuracy": accuracy_of}, resamples=20_000)["accuracy"]
    assert interval.value == 0.7
    assert interval.low == pytest.approx(binom.ppf(0.025, 1000, 0.7) / 1000, abs=0.0011)
    assert interval.high == pytest.approx(binom.ppf(0.975, 1000, 0.7) / 1000, abs=0.0011)


def test_the_seed_decides() -> None:
    first, again = (summarize(CONFIDENCE, CORRECT, VALID, resamples=50, seed=1) for _ in range(2))
    assert first == again
    assert first != summarize(CONFIDENCE, CORRECT, VALID, resamples=50, seed=2)


def test_many_rows_are_drawn_in_parts_that_are_all_used() -> None:
    rows = 300_000
    seen: list[int] = []

    def count(tally: Tally) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        seen.append(len(tally.right))
        return accuracy_of(tally)

    bootstrap_intervals(np.full(rows, 0.5), np.arange(rows) % 2, {"accuracy": count}, resamples=20)
    assert sum(seen) == 1 + 20
    assert max(seen) < 20


def test_undefined_resamples_are_left_out() -> None:
    # About a third of these resamples have no wrong answer, and so no AUROC.
    interval = bootstrap_intervals([0.1, *[0.9] * 9], [False, *[True] * 9], {"auroc": auroc_of}, resamples=200)["auroc"]
    assert interval == Interval(1.0, 1.0, 1.0)
    undefined = bootstrap_intervals([0.5], [True], {"auroc": auroc_of}, resamples=10)["auroc"]
    assert undefined.as_json() == {"value": None, "low": None, "high": None}


def test_resamples_are_checked() -> None:
    with pytest.raises(ValueError, match="at least one resample"):
        summarize(CONFIDENCE, CORRECT, resamples=0)


def test_an_invalid_row_is_wrong_with_confidence_zero() -> None:
    summary = summarize(CONFIDENCE, CORRECT, VALID, resamples=10)
    for name, metric in BY_ROWS.items():
        everything = metric(np.where(VALID, CONFIDENCE, 0), CORRECT & VALID)
        assert summary["all"][name].value == pytest.approx(everything, abs=1e-12), name
        assert summary["valid"][name].value == pytest.approx(metric(CONFIDENCE[VALID], CORRECT[VALID]), abs=1e-12), name
    rate = summary["all"]["valid_rate"]
    assert rate.value == VALID.mean()
    assert rate.low < rate.value < rate.high
    assert summary["valid"]["valid_rate"] == Interval(1, 1, 1)
    assert set(summary["all"]) == set(summary["valid"]) == {*METRICS, "valid_rate"}


def test_what_an_invalid_row_holds_is_not_looked_at() -> None:
    odd = summarize([0.8, math.nan, 0.3], [True, True, False], [True, False, True], resamples=10)
    assert odd == summarize([0.8, 0.0, 0.3], [True, False, False], [True, False, True], resamples=10)


def test_all_rows_invalid() -> None:
    summary = summarize([0.5, 0.5], [True, False], [False, False], resamples=10)
    none = summary["all"]["accuracy"]
    assert none == summary["all"]["valid_rate"]
    assert (none.value, none.low) == (0, 0)
    assert all(math.isnan(interval.value) for interval in summary["valid"].values())


def test_one_row() -> None:
    summary = summarize([0.8], [True], resamples=10)
    assert summary["all"]["ece"].value == pytest.approx(0.2)
    assert math.isnan(summary["all"]["auroc"].value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (([], [], []), "no rows"),
        (([0.5], [True, False], [True]), "one shape"),
        (([0.5], [True], [True, True]), "valid must have shape"),
        (([1.5], [True], [True]), r"in \[0, 1\]"),
        (([0.5], [True], [2]), "valid must hold booleans"),
        (([[0.5]], [[True]], None), "one-dimensional"),
    ],
)
def test_bad_rows_are_refused(rows: tuple[list[float], list[bool], list[bool] | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summarize(*rows, resamples=10)
