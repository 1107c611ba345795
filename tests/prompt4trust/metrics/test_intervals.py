"""The kind of interval that each metric has, and differences of two estimators."""

from __future__ import annotations

import math

import numpy as np
import pytest

from prompt4trust.metrics import METRICS, bootstrap_intervals, metric_intervals, summarize
from prompt4trust.metrics.bootstrap import bootstrap_replicates, percentile_interval
from prompt4trust.metrics.calibration import ece_of
from prompt4trust.metrics.error_intervals import ace_estimate, ece_estimate
from prompt4trust.metrics.intervals import metric_difference, sampled_metrics, share_interval
from prompt4trust.metrics.tally import Tally

RANDOM = np.random.default_rng(7)
CONFIDENCE = RANDOM.integers(50, 101, 120) / 100
CORRECT = RANDOM.random(120) < CONFIDENCE - 0.1


def test_each_metric_has_an_interval_of_its_kind() -> None:
    found = metric_intervals(CONFIDENCE, CORRECT, METRICS, resamples=50, seed=3)
    assert list(found) == list(METRICS)
    tally = Tally.of(CONFIDENCE, CORRECT)
    assert found["ece"] == ece_estimate(tally, draws=50, seed=3).interval
    assert found["ace"] == ace_estimate(tally, draws=50, seed=3).interval
    assert found["accuracy"] == share_interval(CORRECT.sum(), 120)
    wrong = CONFIDENCE[~CORRECT]
    assert found["confident_error_share"] == share_interval((wrong >= 0.9).sum(), len(wrong))
    assert math.isnan(found["smooth_ece"].low)
    others = {name: METRICS[name] for name in ("brier", "nll", "auroc", "aurc", "mean_confidence")}
    assert bootstrap_intervals(CONFIDENCE, CORRECT, others, resamples=50, seed=3).items() <= found.items()


def test_a_summary_prints_the_same() -> None:
    chosen = {name: METRICS[name] for name in ("ece", "accuracy", "brier")}
    summary = summarize(CONFIDENCE, CORRECT, metrics=chosen, resamples=50)["valid"]
    assert metric_intervals(CONFIDENCE, CORRECT, chosen, resamples=50).items() <= summary.items()


def test_a_share_has_wilson_s_interval() -> None:
    share, n, z = 0.75, 40, 1.959964
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    found = share_interval(30, n)
    assert (found.value, found.low, found.high) == pytest.approx((share, middle - half, middle + half), abs=1e-6)
    assert math.isnan(share_interval(0, 0).value)


def test_a_difference_is_bootstrapped_unless_it_is_one_of_calibration_errors() -> None:
    brier = {"brier": METRICS["brier"], "accuracy": METRICS["accuracy"]}
    mine, theirs = (sampled_metrics(p, CORRECT, brier, resamples=80) for p in (CONFIDENCE, CONFIDENCE**2))
    plain = [bootstrap_replicates(p, CORRECT, brier, resamples=80)["brier"] for p in (CONFIDENCE, CONFIDENCE**2)]
    (one, ones), (other, others) = plain
    assert metric_difference(mine["brier"], theirs["brier"]) == percentile_interval(one - other, ones - others)
    same = metric_difference(mine["accuracy"], theirs["accuracy"])
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_the_difference_of_calibration_errors_holds_its_value_and_turns_round() -> None:
    mine, theirs = (
        sampled_metrics(p, CORRECT, {"ece": ece_of}, resamples=100)["ece"] for p in (CONFIDENCE - 0.1, CONFIDENCE)
    )
    found, turned = metric_difference(mine, theirs), metric_difference(theirs, mine)
    assert found.low < found.value < found.high
    assert (turned.value, turned.low, turned.high) == pytest.approx((-found.value, -found.high, -found.low))


def test_estimators_that_say_the_same_differ_by_nothing() -> None:
    one = sampled_metrics(CONFIDENCE, CORRECT, {"ece": ece_of}, resamples=50)["ece"]
    found = metric_difference(one, one)
    assert found.value == 0
    assert found.low <= 0 <= found.high


def test_the_difference_to_a_calibrated_model_is_held() -> None:
    # The percentile bootstrap held it in about a tenth of such samples.
    random, held, bootstrapped, truth = np.random.default_rng(4), 0, 0, -0.12
    for sample in range(40):
        chance = random.integers(20, 80, 200) / 100
        right = random.random(200) < chance
        mine, theirs = (
            sampled_metrics(p, right, {"ece": ece_of}, resamples=100, seed=sample)["ece"]
            for p in (chance, chance + 0.12)
        )
        found = metric_difference(mine, theirs)
        held += found.low <= truth <= found.high
        low, high = np.percentile(mine.resampled - theirs.resampled, [2.5, 97.5])
        bootstrapped += low <= truth <= high
    assert held >= 35
    assert bootstrapped <= 20


def test_rows_are_checked() -> None:
    with pytest.raises(ValueError, match="at least one resample"):
        metric_intervals([0.5], [True], METRICS, resamples=0)
    with pytest.raises(ValueError, match="no rows"):
        metric_intervals([], [], {"ece": ece_of})
