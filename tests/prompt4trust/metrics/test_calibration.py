"""Calibration metrics against scikit-learn, torchmetrics, the textbook definition in a loop, and values by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from prompt4trust.metrics import (
    accuracy,
    adaptive_calibration_error,
    brier_score,
    expected_calibration_error,
    mean_confidence,
    negative_log_likelihood,
    smooth_calibration_error,
)
from prompt4trust.metrics.tally import BoolArray, FloatArray
from tests.prompt4trust.metrics.rows import ROWS, Rows

Metric = Callable[..., float]
METRICS: list[Metric] = [
    accuracy,
    mean_confidence,
    expected_calibration_error,
    adaptive_calibration_error,
    smooth_calibration_error,
    brier_score,
    negative_log_likelihood,
]
close = pytest.approx
EXACT = 1e-9


def looped_ece(confidence: FloatArray, correct: BoolArray, bins: int) -> float:
    error = 0.0
    for i in range(bins):
        inside = [j for j, p in enumerate(confidence) if i / bins < p <= (i + 1) / bins or (i == 0 and p == 0)]
        if inside:
            gap = sum(correct[j] for j in inside) / len(inside) - sum(confidence[j] for j in inside) / len(inside)
            error += len(inside) / len(confidence) * abs(gap)
    return error


@settings(max_examples=400)
@given(ROWS, st.integers(1, 25))
def test_ece_is_the_textbook_sum(rows: Rows, bins: int) -> None:
    assert expected_calibration_error(*rows, bins=bins) == close(looped_ece(*rows, bins), abs=EXACT)


@given(st.lists(st.tuples(st.integers(0, 4095), st.booleans()), min_size=1, max_size=50))
def test_ece_agrees_with_torchmetrics_off_the_bin_edges(rows: list[tuple[int, bool]]) -> None:
    # Seconds to import, for this test alone.
    import torch
    from torchmetrics.functional.classification import binary_calibration_error

    # Odd 8192ths are exact in torchmetrics' single precision and on no edge of 10 bins.
    confidence = np.array([(2 * k + 1) / 8192 for k, _ in rows])
    correct = np.array([right for _, right in rows])
    theirs = binary_calibration_error(torch.tensor(confidence), torch.tensor(correct).int(), n_bins=10, norm="l1")
    assert expected_calibration_error(confidence, correct) == close(theirs.item(), abs=1e-6)


def looped_ace(confidence: FloatArray, correct: BoolArray, bins: int) -> float:
    order = np.argsort(confidence)
    # A tied row counts as its tie's average row: the mean over all orders of the tied rows.
    outcome = np.array([correct[confidence == p].mean() for p in confidence])
    error = 0.0
    for part in np.array_split(order, bins):
        if len(part):
            error += len(part) / len(confidence) * abs(outcome[part].mean() - confidence[part].mean())
    return error


@settings(max_examples=400)
@given(ROWS, st.integers(1, 25))
def test_ace_is_the_textbook_sum(rows: Rows, bins: int) -> None:
    assert adaptive_calibration_error(*rows, bins=bins) == close(looped_ace(*rows, bins), abs=EXACT)


def direct_smooth_error(confidence: FloatArray, correct: BoolArray, width: float) -> float:
    """Integrate the smoothed residuals, with the reflected Gaussian as a sum over mirror images."""
    grid = (np.arange(1024) + 0.5) / 1024
    images = np.concatenate([2 * k + sign * confidence for k in range(-6, 7) for sign in (1, -1)])
    residual = np.tile((correct - confidence) / len(confidence), 26)
    kernel = np.exp(-0.5 * ((grid[:, None] - images) / width) ** 2) / (width * math.sqrt(2 * math.pi))
    return float(np.abs(kernel @ residual).mean())


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_smooth_ece_is_the_fixed_point_of_the_definition(rows: Rows) -> None:
    error = smooth_calibration_error(*rows)
    if error < 0.004:  # finer than the grid: only known to be small, whichever way it is computed
        assert direct_smooth_error(*rows, width=0.004) <= 0.0041
    else:
        assert direct_smooth_error(*rows, width=error) == close(error, abs=EXACT)


def test_smooth_ece_by_hand() -> None:
    # One residual has one sign everywhere: smoothing keeps its integral.
    assert smooth_calibration_error([0.7], [True]) == close(0.3, abs=EXACT)
    assert smooth_calibration_error([0.7], [False]) == close(0.7, abs=EXACT)
    assert smooth_calibration_error([1.0, 0.0], [True, False]) == 0


_GOLDEN = (np.arange(2000) * 0.6180339887498949) % 1
_DRAWS = (np.arange(2000) * 0.7548776662466927) % 1


@pytest.mark.parametrize(
    ("confidence", "chance", "theirs"),
    [
        (0.5 + 0.5 * _GOLDEN, (0.5 + 0.5 * _GOLDEN) ** 3, 0.2814319047607375),
        (_GOLDEN, _GOLDEN**0.4, 0.2165280852403908),
        (np.round(_GOLDEN * 100) / 100, 0.3 + 0.4 * np.round(_GOLDEN * 100) / 100, 0.13937794376655643),
        (np.full(2000, 0.9), np.full(2000, 0.6), 0.2994999834787393),
    ],
    ids=["overconfident", "underconfident", "whole per cents", "one value"],
)
def test_smooth_ece_agrees_with_its_authors_package(confidence: FloatArray, chance: FloatArray, theirs: float) -> None:
    # Figures of relplot 1.0.3, which rounds confidences to a grid of its own.
    assert smooth_calibration_error(confidence, chance > _DRAWS) == close(theirs, abs=3e-4)


@settings(max_examples=100)
@given(ROWS)
def test_proper_scores_agree_with_scikit_learn(rows: Rows) -> None:
    confidence, correct = rows
    assert brier_score(*rows) == close(brier_score_loss(correct, confidence, pos_label=True), abs=EXACT)
    inside = np.clip(confidence, 1e-9, 1 - 1e-9)
    theirs = log_loss(correct, np.stack([1 - inside, inside], axis=1), labels=[False, True])
    assert negative_log_likelihood(inside, correct) == close(theirs, abs=EXACT)
    assert accuracy(*rows) == close(correct.mean(), abs=EXACT)
    assert mean_confidence(*rows) == close(confidence.mean(), abs=EXACT)


def test_certain_errors_cost_the_clipped_logarithm() -> None:
    assert negative_log_likelihood([1.0, 0.0], [False, True]) == close(-math.log(1e-10), abs=1e-12)
    assert negative_log_likelihood([1.0, 0.0], [True, False]) == 0


@pytest.mark.parametrize("metric", [expected_calibration_error, adaptive_calibration_error, smooth_calibration_error])
def test_extremes(metric: Metric) -> None:
    everything, nothing = np.ones(30, dtype=bool), np.zeros(30, dtype=bool)
    assert metric(np.ones(30), everything) == 0
    assert metric(np.zeros(30), nothing) == 0
    assert metric(np.ones(30), nothing) == close(1, abs=EXACT)
    assert metric(np.zeros(30), everything) == close(1, abs=EXACT)


def test_bins_are_closed_above() -> None:
    # 0.1 belongs to the first bin and 0.1 + a little to the second: together their gaps would partly cancel.
    above = float(np.nextafter(0.1, 1))
    assert expected_calibration_error([0.1, 0.05], [True, False]) == close(abs(0.9 - 0.05) / 2, abs=EXACT)
    assert expected_calibration_error([above, 0.05], [True, False]) == close((0.9 + 0.05) / 2, abs=EXACT)


@given(ROWS, st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(rows: Rows, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(rows[0]))
    for metric in METRICS:
        assert metric(rows[0][order], rows[1][order]) == metric(*rows)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("confidence", "correct", "message"),
    [
        ([], [], "no rows"),
        ([0.5, 0.5], [True], r"shape \(2,\)"),
        ([[0.5]], [[True]], "one-dimensional"),
        ([1.1], [True], r"in \[0, 1\]"),
        ([-0.1], [True], r"in \[0, 1\]"),
        ([math.nan], [True], r"in \[0, 1\]"),
        ([math.inf], [True], r"in \[0, 1\]"),
        ([0.5], [2], "booleans"),
        ([0.5], [math.nan], "booleans"),
        ([0.5], ["yes"], "booleans"),
    ],
)
def test_bad_rows_are_refused(metric: Metric, confidence: list[float], correct: list[bool], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric(confidence, correct)


@pytest.mark.parametrize("metric", [expected_calibration_error, adaptive_calibration_error])
def test_there_is_a_bin(metric: Metric) -> None:
    with pytest.raises(ValueError, match="at least one bin"):
        metric([0.5], [True], bins=0)


def test_outcomes_may_be_numbers() -> None:
    assert accuracy([0.5, 0.5, 0.5, 0.5], [1, 0, 0.0, 1.0]) == 0.5
