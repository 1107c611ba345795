"""Every family against an independent reference, known parameters or a hand calculation."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from venn_abers import venn_abers as package

from prompt4trust.calibration import (
    Beta,
    Histogram,
    Identity,
    Isotonic,
    MissingSignalError,
    Platt,
    RawPlatt,
    Temperature,
    TwoSignal,
    VennAbers,
    get_family,
)
from prompt4trust.metrics import auroc, expected_calibration_error, negative_log_likelihood
from prompt4trust.metrics.tally import BoolArray, FloatArray
from tests.prompt4trust.calibration.answers import FRACTIONS, GRID, PER_CENTS, SEEDS, outcomes, overconfident


def test_identity_changes_nothing() -> None:
    stated, correct = overconfident(30)
    assert np.array_equal(Identity.fit(stated, correct).apply(GRID), GRID)


def test_temperature_is_a_logistic_regression_without_intercept() -> None:
    stated, correct = overconfident(500)
    theirs = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, max_iter=10_000)
    theirs.fit(logit(stated)[:, None], correct)
    assert Temperature.fit(stated, correct).temperature == pytest.approx(1 / theirs.coef_[0, 0], rel=1e-5)


def test_temperature_recovers_the_one_that_made_the_data() -> None:
    random = np.random.default_rng(3)
    stated = random.integers(2, 99, 100_000) / 100
    correct = random.random(100_000) < expit(logit(stated) / 2.5)
    assert Temperature.fit(stated, correct).temperature == pytest.approx(2.5, rel=0.03)


def test_temperature_stays_in_its_range_and_says_so() -> None:
    stated = np.full(40, 0.9)
    inverted = Temperature.fit(stated, np.arange(40) < 10)
    assert inverted.apply(0.9) == pytest.approx(0.5, abs=0.01)
    assert "highest" in inverted.warnings()[0]
    separated = np.linspace(0, 1, 40)
    assert "lowest" in Temperature.fit(separated, separated > 0.5).warnings()[0]


@pytest.mark.parametrize("seed", range(3))
def test_raw_platt_agrees_with_scikit_learn(seed: int) -> None:
    stated, correct = overconfident(600, seed)
    raw = RawPlatt.fit(stated, correct)
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(stated[:, None], correct)
    assert raw.apply(stated) == pytest.approx(theirs.predict_proba(stated[:, None])[:, 1], abs=1e-3)
    assert raw.family == "platt-raw"
    logit_line: object = Platt(raw.slope, raw.intercept)
    assert raw != logit_line
    assert raw.warnings() == []


def beta_loss(parameters: FloatArray, stated: FloatArray, correct: BoolArray) -> float:
    a, b, m = parameters
    line = a * np.log(stated) - b * np.log1p(-stated) + m
    return float(np.logaddexp(0, np.where(correct, -line, line)).sum())


@pytest.mark.parametrize("seed", range(4))
def test_beta_is_the_constrained_maximum(seed: int) -> None:
    random = np.random.default_rng(seed)
    stated = random.integers(2, 99, 500) / 100
    # Falling, rising at one end only, rising at both.
    truth = ((-0.5, -0.2), (0.9, -0.3), (-0.3, 0.9), (0.7, 1.6))[seed]
    correct = random.random(500) < expit(truth[0] * np.log(stated) - truth[1] * np.log1p(-stated) + 0.3)
    beta = Beta.fit(stated, correct)
    best = minimize(
        beta_loss, [0.5, 0.5, 0.0], (stated, correct), "L-BFGS-B", bounds=[(0, None), (0, None), (None, None)],
        options={"ftol": 1e-14, "gtol": 1e-8},
    )  # fmt: skip
    assert beta_loss(np.array([beta.a, beta.b, beta.m]), stated, correct) <= best.fun + 1e-3
    assert (beta.a, beta.b, beta.m) == pytest.approx(best.x, abs=0.02)
    assert (beta.warnings() == []) == (seed > 0)


def test_beta_with_equal_ends_is_platt() -> None:
    beta, platt = Beta(0.6, 0.6, -0.8), Platt(0.6, -0.8)
    assert beta.apply(GRID) == pytest.approx(platt.apply(GRID), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(PER_CENTS, SEEDS)
def test_isotonic_is_scikit_learns(stated: FloatArray, seed: int) -> None:
    correct = outcomes(stated, seed)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(stated, correct.astype(float))
    assert Isotonic.fit(stated, correct).apply(GRID) == pytest.approx(theirs.predict(GRID), abs=1e-12)


def test_isotonic_by_hand() -> None:
    stated = np.repeat([0.2, 0.4, 0.6, 0.8], 5)
    correct = np.concatenate([np.arange(5) < right for right in (1, 4, 2, 5)])
    isotonic = Isotonic.fit(stated, correct)
    # 0.4 and 0.6 violate the order and are pooled: 6 of 10.
    assert isotonic.apply([0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0]) == pytest.approx([0.2, 0.2, 0.6, 0.6, 0.6, 1.0, 1.0])
    assert isotonic.apply(0.3) == pytest.approx(0.4)
    assert isotonic.apply(0.7) == pytest.approx(0.8)


@settings(max_examples=50, deadline=None)
@given(FRACTIONS, SEEDS)
def test_histogram_is_the_mean_within_pandas_quantile_bins(stated: FloatArray, seed: int) -> None:
    correct = outcomes(stated, seed)
    histogram = Histogram.fit(stated, correct)
    bins = min(10, len(stated) // 10)
    cuts = pd.Series(stated).quantile(np.arange(1, bins) / bins, interpolation="lower")
    # Each share is that of the answers between two edges, whatever the edges are.
    edges = [-np.inf, *histogram.edges, np.inf]
    within = pd.cut(stated, edges, labels=False)
    means = pd.Series(correct.astype(float)).groupby(within).mean()
    assert histogram.shares == pytest.approx(means.to_numpy())
    assert len(histogram.shares) == len(means) <= bins
    assert set(histogram.edges) <= set(stated.tolist())
    assert np.array_equal(histogram.apply(stated), means.to_numpy()[within])
    if len(np.unique(stated)) == len(stated):
        assert len(histogram.edges) == len(cuts)
        assert np.ptp(np.bincount(within)) <= 1


def test_histogram_bins_hold_as_many_answers_each() -> None:
    stated = np.arange(1, 201) / 200
    histogram = Histogram.fit(stated, np.arange(200) % 2 == 0)
    assert histogram.edges == tuple(np.arange(20, 200, 20) / 200)
    assert histogram.shares == (0.5,) * 10


def test_histogram_never_parts_equal_confidences() -> None:
    stated = np.repeat([0.8, 0.9, 0.95], [10, 80, 10])
    histogram = Histogram.fit(stated, np.arange(100) % 4 == 0)
    assert histogram.edges == (0.8, 0.9)
    one = Histogram.fit(np.full(100, 0.9), np.arange(100) < 60)
    assert (one.edges, one.shares) == ((), (0.6,))
    assert "single bin" in one.warnings()[0]
    assert "ranking" in Histogram.fit(stated, stated < 0.95).warnings()[0]


def by_definition(stated: FloatArray, correct: BoolArray, new: float) -> tuple[float, float]:
    """Isotonic regression with the new answer among the old ones, once wrong and once right."""
    ends = []
    for outcome in (0.0, 1.0):
        model = IsotonicRegression().fit(np.append(stated, new), np.append(correct.astype(float), outcome))
        ends.append(float(model.predict([new])[0]))
    return ends[0], ends[1]


@settings(max_examples=25, deadline=None)
@given(PER_CENTS, SEEDS)
def test_venn_abers_is_its_definition(stated: FloatArray, seed: int) -> None:
    correct = outcomes(stated, seed)
    fitted = VennAbers.fit(stated, correct)
    seen = np.unique(stated)
    for new in (0.0, 1.0, float(seen[0]), float(seen[len(seen) // 2]), float(seen[-1]), 0.333, 0.875):
        low, high = fitted.interval(new)
        assert (float(low), float(high)) == pytest.approx(by_definition(stated, correct, new), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(PER_CENTS, SEEDS)
def test_venn_abers_is_the_packages_number_for_number(stated: FloatArray, seed: int) -> None:
    correct = outcomes(stated, seed)
    fitted = VennAbers.fit(stated, correct)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        theirs = package.VennAbers()
        theirs.fit(np.column_stack((1 - stated, stated)), correct)
        probabilities, ends = theirs.predict_proba(np.column_stack((1 - GRID, GRID)))
    low, high = fitted.interval(GRID)
    assert np.array_equal(low, np.clip(ends[:, 0], 0, 1))
    assert np.array_equal(high, np.clip(ends[:, 1], 0, 1))
    assert fitted.apply(GRID) == pytest.approx(probabilities[:, 1], abs=1e-12)
    assert np.all(low <= fitted.apply(GRID))
    assert np.all(fitted.apply(GRID) <= high)


def test_venn_abers_leaves_numpys_error_handling_alone() -> None:
    before = np.geterr()
    VennAbers.fit(*overconfident(50))
    assert np.geterr() == before


def test_venn_abers_is_narrow_where_there_are_many_answers() -> None:
    few, many = (VennAbers.fit(*overconfident(rows)).interval(0.9) for rows in (50, 20_000))
    assert many[1] - many[0] < 0.01 < few[1] - few[0]


def two_signals(rows: int, seed: int = 0) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Stated confidences that say little and an agreement that says more."""
    random = np.random.default_rng(seed)
    stated = random.integers(70, 100, rows) / 100
    agreement = random.integers(0, 21, rows) / 20
    chance = expit(0.5 * logit(stated) + 0.6 * logit(np.clip(agreement, 0.025, 0.975)) - 1)
    return stated, agreement, random.random(rows) < chance


def test_two_signals_recover_what_made_the_data_and_raise_the_auroc() -> None:
    stated, agreement, correct = two_signals(50_000)
    fitted = TwoSignal.fit(stated, correct, {"agreement": agreement})
    assert fitted.clips == pytest.approx((0.005, 0.025))
    assert fitted.weights == pytest.approx((0.5, 0.6), abs=0.03)
    assert fitted.intercept == pytest.approx(-1, abs=0.1)
    new_stated, new_agreement, new_correct = two_signals(20_000, seed=1)
    corrected = fitted.apply(new_stated, {"agreement": new_agreement, "other": new_stated})
    assert auroc(corrected, new_correct) > auroc(new_stated, new_correct) + 0.1
    assert expected_calibration_error(corrected, new_correct) < 0.02


def test_two_signals_agree_with_scikit_learn() -> None:
    stated, agreement, correct = two_signals(800)
    inputs = np.column_stack([logit(stated), logit(np.clip(agreement, 0.025, 0.975))])
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(inputs, correct)
    ours = TwoSignal.fit(stated, correct, {"agreement": agreement}).apply(stated, {"agreement": agreement})
    assert ours == pytest.approx(theirs.predict_proba(inputs)[:, 1], abs=1e-3)


def test_the_second_signal_is_one_that_every_answer_carries_and_not_the_confidence() -> None:
    stated, agreement, correct = two_signals(100)
    holes = np.where(np.arange(100) == 7, np.nan, stated)
    fitted = TwoSignal.fit(agreement, correct, {"entropy": stated, "agreement": agreement, "stated": stated})
    assert fitted.inputs() == ("stated",)
    assert TwoSignal.fit(stated, correct, {"stated": holes, "agreement": agreement}).inputs() == ("agreement",)
    for signals in (None, {}, {"stated": stated}, {"stated": holes}, {"entropy": agreement}):
        with pytest.raises(MissingSignalError, match="needs one of stated, agreement"):
            TwoSignal.fit(stated, correct, signals)


def test_two_signals_are_asked_for_and_checked() -> None:
    fitted = TwoSignal("agreement", (1.0, 1.0), 0.0, (0.005, 0.025))
    assert fitted.apply(0.5, {"agreement": 0.5}) == pytest.approx(0.5)
    assert fitted.apply([0.5], {"agreement": [1.0]}) == pytest.approx([0.975])
    with pytest.raises(MissingSignalError, match="'agreement'"):
        fitted.apply(0.5, {"stated": 0.5})
    with pytest.raises(ValueError, match=r"agreement must be a number in \[0, 1\]"):
        fitted.apply(0.5, {"agreement": 1.5})
    with pytest.raises(ValueError, match="shape"):
        fitted.apply([0.5, 0.6], {"agreement": 0.5})
    assert "weight of agreement is negative" in TwoSignal("agreement", (1.0, -1.0), 0.0, (0.1, 0.1)).warnings()[0]


@pytest.mark.parametrize("family", ["platt", "platt-raw", "beta", "isotonic", "venn-abers", "histogram"])
def test_calibrates_what_is_overconfident(family: str) -> None:
    stated, correct = overconfident(10_000, seed=2)
    corrected = get_family(family).fit(*overconfident(5000, seed=1)).apply(stated)
    assert expected_calibration_error(stated, correct) > 0.2
    assert expected_calibration_error(corrected, correct) < 0.035
    assert negative_log_likelihood(corrected, correct) < negative_log_likelihood(stated, correct) - 0.1
