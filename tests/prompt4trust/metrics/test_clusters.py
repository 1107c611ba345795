"""Rows that belong together: intervals are as wide as the clusters make them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from prompt4trust.metrics import METRICS, Interval, ece_estimate, metric_intervals, summarize
from prompt4trust.metrics.bootstrap import bootstrap_replicates
from prompt4trust.metrics.calibration import ece_of
from prompt4trust.metrics.clusters import cluster_codes, design_effect, error_effect, resampled_rows
from prompt4trust.metrics.intervals import metric_difference, sampled_metrics
from prompt4trust.metrics.tally import Tally

RANDOM = np.random.default_rng(11)
CONFIDENCE = RANDOM.integers(50, 101, 100) / 100
CORRECT = RANDOM.random(100) < CONFIDENCE - 0.1
FOUR_TIMES = np.repeat(CONFIDENCE, 4), np.repeat(CORRECT, 4)
CLUSTERS = np.repeat(np.arange(100), 4)


def test_rows_that_stand_alone_change_nothing() -> None:
    alone = metric_intervals(CONFIDENCE, CORRECT, METRICS, clusters=np.arange(100), resamples=30)
    without = metric_intervals(CONFIDENCE, CORRECT, METRICS, resamples=30)
    assert str(alone) == str(without)  # NaN is equal to nothing


def test_copies_of_a_row_count_once() -> None:
    chosen = {name: METRICS[name] for name in ("accuracy", "confident_error_share", "ece", "brier", "auroc")}
    once = metric_intervals(CONFIDENCE, CORRECT, chosen, resamples=400)
    fourfold = metric_intervals(*FOUR_TIMES, chosen, clusters=CLUSTERS, resamples=400)
    blind = metric_intervals(*FOUR_TIMES, chosen, resamples=400)
    for name in chosen:
        assert fourfold[name].value == pytest.approx(once[name].value)
        assert _width(fourfold[name]) == pytest.approx(_width(once[name]), rel=0.2), name
        assert _width(blind[name]) < 0.75 * _width(once[name]), name


def test_a_summary_s_valid_rows_keep_their_clusters() -> None:
    usable = np.repeat(np.arange(100) % 5 > 0, 4)
    chosen = {"accuracy": METRICS["accuracy"], "brier": METRICS["brier"]}
    views = summarize(*FOUR_TIMES, usable, clusters=CLUSTERS, metrics=chosen, resamples=200)
    stated, right = (each[usable] for each in FOUR_TIMES)
    kept = metric_intervals(stated, right, chosen, clusters=CLUSTERS[usable], resamples=200)
    assert kept.items() <= views["valid"].items()
    blind = summarize(*FOUR_TIMES, usable, metrics=chosen, resamples=200)
    assert _width(views["all"]["valid_rate"]) > 1.8 * _width(blind["all"]["valid_rate"])


def test_the_effect_is_that_of_kish() -> None:
    # Clusters of 10 with a correlation of 0.5 between their rows: 1 + 9 * 0.5.
    shared = np.repeat(RANDOM.standard_normal(4000), 10)
    rows = np.sqrt(0.5) * shared + np.sqrt(0.5) * RANDOM.standard_normal(40_000)
    codes = np.repeat(np.arange(4000), 10)
    assert design_effect(rows, codes) == pytest.approx(5.5, rel=0.06)
    assert design_effect(rows, np.arange(40_000)) == 1
    # Nothing tells how alike rows are that do not differ, nor those of a single cluster.
    assert design_effect(np.zeros(40), codes[:40]) == 10
    assert design_effect(rows[:10], codes[:10]) == 10


def test_the_effect_on_an_error_sums_up_over_bins_by_their_signs() -> None:
    # Each cluster has one row in either bin, off by the same: this adds where both bins are overconfident, and
    # cancels where one is and the other is not; the noise of each bin is that of rows that stand alone.
    off = RANDOM.standard_normal(500)
    codes, bins = np.concatenate([np.arange(500)] * 2), np.repeat([0, 1], 500)
    both = error_effect(np.concatenate([off - 1, off - 1]), codes, bins)
    opposed = error_effect(np.concatenate([off - 1, off + 1]), codes, bins)
    assert both == pytest.approx(2, rel=0.02)
    assert opposed == 1


def test_resamples_hold_whole_clusters_and_as_many_rows() -> None:
    codes = np.repeat(np.arange(30), np.arange(30) % 4 + 1)
    for rows in resampled_rows(codes, 50, np.random.default_rng(1)):
        assert rows.shape == codes.shape
        drawn = np.bincount(rows, minlength=len(codes))
        times = [set(drawn[codes == cluster]) for cluster in range(30)]
        assert sum(len(each) > 1 for each in times) <= 1  # the one that is cut


def test_two_estimators_resamples_hold_the_same_questions() -> None:
    one, same = (
        sampled_metrics(*FOUR_TIMES, {"brier": METRICS["brier"]}, clusters=CLUSTERS, resamples=50)["brier"]
        for _ in range(2)
    )
    assert metric_difference(one, same) == Interval(0, 0, 0)
    _, mine = bootstrap_replicates(*FOUR_TIMES, {"ece": ece_of}, clusters=CLUSTERS, resamples=50)["ece"]
    assert mine.std() > 0


def test_the_interval_of_an_error_holds_it_where_questions_share_pictures() -> None:
    # Thirty pictures of sixteen questions; on half of them answers are more often right than stated, on half less:
    # calibrated on the whole. Without clusters the interval holds the 0 far too rarely.
    random, samples, held, blind = np.random.default_rng(3), 60, 0, 0
    clusters = np.repeat(np.arange(30), 16)
    for sample in range(samples):
        confidence = random.integers(50, 81, 480) / 100
        harder = np.repeat(random.choice([-0.2, 0.2], 30), 16)
        right = random.random(480) < confidence + harder
        metrics = {"ece": ece_of}
        held += (
            metric_intervals(confidence, right, metrics, clusters=clusters, resamples=80, seed=sample)["ece"].low == 0
        )
        blind += ece_estimate(Tally.of(confidence, right), draws=80, seed=sample).low == 0
    assert held >= binom.ppf(0.001, samples, 0.95)
    assert blind < binom.ppf(0.001, samples, 0.95)


def test_clusters_are_checked() -> None:
    with pytest.raises(ValueError, match=r"clusters must have shape \(2,\)"):
        cluster_codes(["one"], 2)
    with pytest.raises(ValueError, match="effect must be at least 1"):
        ece_estimate(Tally.of([0.5], [True]), effect=0.5)


def _width(interval: Interval) -> float:
    return interval.high - interval.low
