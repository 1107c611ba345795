"""The interval of each metric, and of the difference of two estimators: one place for all that print them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.bootstrap import (
    Interval,
    Metric,
    bootstrap_intervals,
    bootstrap_replicates,
    percentile_interval,
)
from prompt4trust.metrics.calibration import accuracy_of, ace_cuts, ace_of, ece_cuts, ece_of, smooth_ece_of
from prompt4trust.metrics.clusters import IntArray, cluster_codes, design_effect, error_effect
from prompt4trust.metrics.error_intervals import ErrorEstimate, ace_estimate, ece_estimate
from prompt4trust.metrics.proportions import wilson_interval
from prompt4trust.metrics.selective import CONFIDENT, confident_error_count_of, confident_error_share_of
from prompt4trust.metrics.tally import BoolArray, FloatArray, Tally, check_rows

_UNKNOWN = float("nan")
_MOST_DRAWS = 400
"""More draws under each candidate error change the ends by less than a tenth of the interval's width."""


def metric_intervals(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    metrics: Mapping[str, Metric],
    *,
    clusters: npt.ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Compute metrics, each with a 95 % interval of a kind that covers.

    Shares (accuracy, share of confident errors) have Wilson's interval; ECE and ACE have that of `ece_estimate`; smooth
    ECE has none, since resampling has nothing true to tell of it: `consistency_band` tells what chance makes. All
    others have the bootstrap's. Where rows belong together, the first two are of fewer rows, and the last draws whole
    clusters.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1.
        correct: Whether each answer is right; shape [n].
        metrics: Name -> metric, those of `METRICS` for their own intervals.
        clusters: What each row belongs to, such as its picture or patient, equal values for equal ones; shape [n]; None
            where every row stands alone.
        resamples: Bootstrap resamples, and (up to 400) samples drawn under each candidate error; at least 1.
        seed: Seed of both.

    Returns:
        Name -> value and interval; NaN where undefined.

    Raises:
        ValueError: If the rows are not as described or resamples < 1.

    Source: Wilson, Journal of the American Statistical Association 22, 1927; others as of the functions named.

    Example:
        >>> found = metric_intervals([0.8] * 8, [True] * 6 + [False] * 2, {"accuracy": accuracy_of, "ece": ece_of})
        >>> [round(end, 2) for end in (found["accuracy"].low, found["accuracy"].high)]
        [0.41, 0.93]
        >>> round(found["ece"].value, 2), found["ece"].low
        (0.05, 0.0)
    """
    resampled = {name: metric for name, metric in metrics.items() if metric not in _OWN and metric not in _ERRORS}
    found = bootstrap_intervals(confidence, correct, resampled, clusters=clusters, resamples=resamples, seed=seed)
    sample, draws = _Sample.of(confidence, correct, clusters), min(resamples, _MOST_DRAWS)
    for name, metric in metrics.items():
        if metric in _OWN:
            found[name] = _OWN[metric](sample)
        elif metric in _ERRORS:
            found[name] = _ERRORS[metric](sample, draws, seed).interval
    return {name: found[name] for name in metrics}


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """A metric of one estimator, to be set against that of another on the same questions.

    Attributes:
        interval: Its value and interval.
        resampled: Its values on resampled questions, NaN where undefined; shape [resamples].
        debiased: The debiased error where it is a calibration error, whose mean resampling moves; else NaN.
    """

    interval: Interval
    resampled: FloatArray
    debiased: float = _UNKNOWN


def sampled_metrics(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    metrics: Mapping[str, Metric],
    *,
    clusters: npt.ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Sampled]:
    """Compute metrics on the rows and on resamples of them, for `metric_difference`.

    Args, errors: As `metric_intervals`. Two estimators need the same questions in the same order, and one seed.

    Returns:
        Name -> metric.
    """
    drawn = bootstrap_replicates(confidence, correct, metrics, clusters=clusters, resamples=resamples, seed=seed)
    sample, draws = _Sample.of(confidence, correct, clusters), min(resamples, _MOST_DRAWS)
    found = {}
    for name, (value, values) in drawn.items():
        if metrics[name] is smooth_ece_of:
            found[name] = Sampled(_smooth_ece(sample), np.full_like(values, np.nan))
        elif (estimate := _ERRORS.get(metrics[name])) is None:
            found[name] = Sampled(percentile_interval(value, values), values)
        else:
            error = estimate(sample, draws, seed)
            found[name] = Sampled(error.interval, values, error.debiased)
    return found


def metric_difference(mine: Sampled, theirs: Sampled) -> Interval:
    """Compute a difference with its 95 % interval, question by question.

    A hard question is hard for both, which cancels. Calibration errors are put together from the two intervals, whose
    ends already reckon with the noise that errors hold, and the correlation of the two errors; smooth ECE has no
    interval; other metrics have the percentiles of the resampled differences.

    Args:
        mine: A metric of one estimator.
        theirs: The same metric of another, from the same questions and seed.

    Returns:
        Mine less theirs.

    Source: Zou and Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008;
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8.

    Example:
        >>> right = [True] * 70 + [False] * 30
        >>> over, fair = (sampled_metrics([p] * 100, right, {"ece": ece_of})["ece"] for p in (0.95, 0.7))
        >>> difference = metric_difference(over, fair)
        >>> round(difference.value, 2), difference.low > 0
        (0.25, True)
    """
    value = mine.interval.value - theirs.interval.value
    if np.isnan(mine.debiased) or np.isnan(theirs.debiased):
        return percentile_interval(value, mine.resampled - theirs.resampled)
    correlation = _correlation(mine.resampled, theirs.resampled)
    # The noise that an error holds is no spread: the debiased errors are what the ends lie around.
    debiased = mine.debiased - theirs.debiased
    low = debiased - _joined(mine.debiased - mine.interval.low, theirs.interval.high - theirs.debiased, correlation)
    high = debiased + _joined(mine.interval.high - mine.debiased, theirs.debiased - theirs.interval.low, correlation)
    return Interval(value, min(low, value), max(high, value))


def _joined(one: float, another: float, correlation: float) -> float:
    return math.sqrt(max(one * one + another * another - 2 * correlation * one * another, 0.0))


def _correlation(one: FloatArray, another: FloatArray) -> float:
    spread = one.std() * another.std()
    if not spread > 0:
        return 0.0
    return float(np.clip(((one - one.mean()) * (another - another.mean())).mean() / spread, -1, 1))


def share_interval(count: float, of: float, effect: float = 1.0) -> Interval:
    """Compute a share with Wilson's 95 % interval, NaN where it is one of nothing.

    Args:
        count: Number of those that count.
        of: Their number at most.
        effect: How many of them are worth one that stands alone (see `design_effect`), at least 1.

    Example:
        >>> share_interval(0, 10).low, round(share_interval(0, 10).high, 2)
        (0.0, 0.28)
    """
    if of == 0:
        return Interval(_UNKNOWN, _UNKNOWN, _UNKNOWN)
    return Interval(count / of, *wilson_interval(count / effect, of / effect))


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Rows, their counts, and the number of each row's cluster (None where every row stands alone)."""

    stated: FloatArray
    right: BoolArray
    tally: Tally
    codes: IntArray | None

    @classmethod
    def of(cls, confidence: npt.ArrayLike, correct: npt.ArrayLike, clusters: npt.ArrayLike | None) -> _Sample:
        stated, right = check_rows(confidence, correct)
        return cls(stated, right, Tally.of(stated, right), cluster_codes(clusters, len(stated)))

    def effect(self, part: BoolArray, among: BoolArray) -> float:
        """Compute the design effect of a share of some rows."""
        if self.codes is None or not among.any():
            return 1.0
        counted = part[among].astype(np.float64)
        return design_effect(counted - counted.mean(), self.codes[among])


def _accuracy(sample: _Sample) -> Interval:
    effect = sample.effect(sample.right, np.ones_like(sample.right))
    return share_interval(float(sample.right.sum()), len(sample.right), effect)


def _confident_errors(sample: _Sample) -> Interval:
    effect = sample.effect(sample.stated >= CONFIDENT, ~sample.right)
    return share_interval(float(confident_error_count_of(sample.tally)[0]), float((~sample.right).sum()), effect)


def _smooth_ece(sample: _Sample) -> Interval:
    return Interval(float(smooth_ece_of(sample.tally)[0]), _UNKNOWN, _UNKNOWN)


def _ece(sample: _Sample, draws: int, seed: int) -> ErrorEstimate:
    return ece_estimate(sample.tally, draws=draws, seed=seed, effect=_error_effect(sample, ece_cuts(sample.tally)))


def _ace(sample: _Sample, draws: int, seed: int) -> ErrorEstimate:
    return ace_estimate(sample.tally, draws=draws, seed=seed, effect=_error_effect(sample, ace_cuts(sample.tally)))


def _error_effect(sample: _Sample, cuts: Sequence[int]) -> float:
    if sample.codes is None:
        return 1.0
    order = np.argsort(sample.stated, kind="stable")
    bins = np.searchsorted(np.unique(cuts), np.arange(len(order)), side="right")
    return error_effect((sample.right - sample.stated)[order], sample.codes[order], bins)


_ERRORS: Mapping[Metric, Callable[[_Sample, int, int], ErrorEstimate]] = MappingProxyType({ece_of: _ece, ace_of: _ace})
_OWN: Mapping[Metric, Callable[[_Sample], Interval]] = MappingProxyType(
    {accuracy_of: _accuracy, confident_error_share_of: _confident_errors, smooth_ece_of: _smooth_ece}
)
