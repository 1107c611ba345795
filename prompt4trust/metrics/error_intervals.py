"""Intervals of binned calibration errors, which stay right where the error is small or zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prompt4trust.metrics.bootstrap import Interval
from prompt4trust.metrics.calibration import ace_cuts, ace_of, ece_cuts, ece_of
from prompt4trust.metrics.error_candidates import Cells, candidate_gaps
from prompt4trust.metrics.tally import FloatArray, Tally

_LEVEL = 0.95
"""Share of the drawn errors that are no surprise."""


@dataclass(frozen=True, slots=True)
class ErrorEstimate:
    """A calibration error of a sample, and what it tells of the population's.

    Attributes:
        value: The sample's.
        debiased: The population's under which samples are like this one on average; 0 where noise alone makes more.
        low: Lower end of the 95 % interval of the population's.
        high: Upper end.
    """

    value: float
    debiased: float
    low: float
    high: float

    @property
    def interval(self) -> Interval:
        """The sample's error with the interval."""
        return Interval(self.value, self.low, self.high)


def ece_estimate(
    tally: Tally, bins: int = 10, *, draws: int = 400, seed: int = 0, effect: float = 1.0
) -> ErrorEstimate:
    """Compute the ECE with a 95 % interval of the population's ECE in the same bins.

    The error of a sample is above the population's, since noise in a bin counts whatever its sign; resampling adds that
    noise a second time, so that a bootstrap interval never holds the 0 of a calibrated model. Here a candidate error is
    kept if it would make errors like the observed one. Outcomes are drawn under each candidate from 0 upwards, the
    observed gaps of the bins being shrunk or stretched to it; where the observed error is among the likeliest 95 % by
    the ratio of likelihoods, the candidate is in the interval. Calibrated answers then have an interval from 0 in 95 %
    of samples, and the observed error always lies within its interval.

    Args:
        tally: Counts of one sample.
        bins: Number of bins, as of `expected_calibration_error`.
        draws: Samples drawn under each candidate, at least 1.
        seed: Seed of the draws.
        effect: How many answers are worth one that stands alone, at least 1: more where several are about one picture
            or patient (see `error_effect`).

    Returns:
        The plain ECE, the debiased one and the ends of the interval, all in [0, 1].

    Raises:
        ValueError: If there is more than one sample, or bins, draws or effect are less than 1.

    Source: Feldman and Cousins, "Unified approach to the classical statistical analysis of small signals", Physical
    Review D 57, 1998, for the order; Chuang and Lai, "Hybrid resampling methods for confidence intervals", Statistica
    Sinica 10, 2000, for drawing along a path of candidates. What it covers is measured by `benchmarks/intervals`.

    Example:
        >>> exact = ece_estimate(Tally.of([0.8] * 100, [True] * 79 + [False] * 21))
        >>> round(exact.value, 2), exact.low, exact.high < 0.11
        (0.01, 0.0, True)
        >>> exact.debiased
        0.0
        >>> over = ece_estimate(Tally.of([0.9] * 100, [True] * 60 + [False] * 40))
        >>> round(over.value, 2), 0.15 < over.low < 0.25, 0.35 < over.high < 0.45
        (0.3, True, True)
    """
    return _estimate(tally, ece_of(tally, bins), ece_cuts(tally, bins), draws, seed, effect)


def ace_estimate(
    tally: Tally, bins: int = 10, *, draws: int = 400, seed: int = 0, effect: float = 1.0
) -> ErrorEstimate:
    """Compute the ACE with a 95 % interval of the population's ACE, its bins holding equal shares of the population.

    Args, returns, errors and source are those of `ece_estimate`; bins are those of `adaptive_calibration_error`.

    Example:
        >>> error = ace_estimate(Tally.of([0.9, 0.7] * 50, [True] * 80 + [False] * 20))
        >>> round(error.value, 2), error.low < 0.05
        (0.1, True)
    """
    return _estimate(tally, ace_of(tally, bins), ace_cuts(tally, bins), draws, seed, effect)


def _estimate(
    tally: Tally, errors: FloatArray, cuts: Sequence[int], draws: int, seed: int, effect: float
) -> ErrorEstimate:
    if len(errors) != 1:
        raise ValueError(f"an interval is of one sample, not of {len(errors)}")
    if draws < 1:
        raise ValueError(f"there must be at least one draw, not {draws}")
    if not effect >= 1:
        raise ValueError(f"the effect must be at least 1, not {effect}")
    cells = Cells.of(tally, cuts)
    observed = float(errors[0])
    gaps, hidden = candidate_gaps(cells, effect)
    candidates = np.maximum.accumulate(cells.error(gaps * cells.n))
    drawn = _drawn(cells, gaps, hidden, draws, effect, np.random.default_rng(seed))
    low, high = _accepted(candidates, drawn, observed)
    # Of finitely many draws: the observed error, its own likeliest candidate, is never left out, and noise only raises.
    low, high = min(low, observed), min(max(high, observed), 1.0)
    debiased = float(np.interp(observed, np.maximum.accumulate(drawn.mean(axis=1)), candidates))
    return ErrorEstimate(observed, float(np.clip(debiased, low, observed)), low, high)


def _drawn(
    cells: Cells, gaps: FloatArray, hidden: FloatArray, draws: int, effect: float, random: np.random.Generator
) -> FloatArray:
    """Draw errors of samples under each candidate; shape [errors, draws]."""
    right = np.clip(cells.stated + gaps, 0, 1)[:, :, None]
    n, stated = cells.n[:, None], cells.stated[:, None]
    # The draws last: numpy draws from one binomial many times sooner than once each from many.
    counts = random.binomial(n.astype(np.int64), np.broadcast_to(right, (*gaps.shape, draws)))
    # Confidences differ within a cell, which takes a little of the noise of one probability away: as much as is known
    # where the answers are calibrated. Rows that belong together add to it.
    one = cells.n * cells.stated * (1 - cells.stated)
    least = np.divide(cells.noise, one, out=np.ones_like(one), where=one > 0)
    scale = np.sqrt(effect * (1 - hidden[:, None] * (1 - least)))[:, :, None]
    surplus = np.clip(n * (right - stated) + scale * (counts - n * right), -n * stated, n * (1 - stated))
    drawn = cells.error(surplus.swapaxes(1, 2))
    # Other samples hold other numbers of answers in each bin, which matters where the bins' gaps differ.
    size = cells.shares @ cells.n
    unsigned = np.abs(cells.by_bin(gaps * cells.n)) / size
    weight = size / size.sum()
    spread = np.maximum(unsigned**2 @ weight - (unsigned @ weight) ** 2, 0) / size.sum()
    # Gaps that were read off a few answers understate the noise: variances lack 1 / (n - 1).
    lacking = (right * (1 - right))[:, :, 0] @ (cells.n / np.maximum(cells.n - 1, 1)) / size.sum() ** 2
    spread += (1 - hidden) * lacking
    return np.asarray(drawn + np.sqrt(effect * spread)[:, None] * random.standard_normal(drawn.shape))


def _accepted(errors: FloatArray, drawn: FloatArray, observed: float) -> tuple[float, float]:
    """Find the ends of the candidates under which the observed error is no surprise."""
    mean, deviation = drawn.mean(axis=1), drawn.std(axis=1) + 1e-9

    def surprise(error: FloatArray) -> FloatArray:
        # Twice the log of the ratio of likelihoods, of normal errors: of the best candidate, which is 0 where the error
        # is below what noise alone makes, over this one.
        best = np.minimum(error - mean[0], 0) / deviation[0]
        return np.asarray(((error - mean[:, None]) / deviation[:, None]) ** 2 - best**2)

    # Weibull's quantiles leave out as many on average as the level says, however few the draws are. As roots, which are
    # near to straight lines between the candidates.
    likely = np.quantile(surprise(drawn), _LEVEL, axis=1, method="weibull")
    most = np.sqrt(np.clip(likely, 0, None))
    margin = most - np.sqrt(surprise(np.full((1, 1), observed))[:, 0].clip(0))
    kept = np.flatnonzero(margin >= 0)
    if len(kept) == 0:
        return observed, observed
    first, last = int(kept[0]), int(kept[-1])
    return _crossing(errors, margin, first, first - 1), _crossing(errors, margin, last, last + 1)


def _crossing(errors: FloatArray, margin: FloatArray, inside: int, outside: int) -> float:
    if not 0 <= outside < len(errors):
        return float(errors[inside])
    part = margin[inside] / (margin[inside] - margin[outside])
    return float(errors[inside] + part * (errors[outside] - errors[inside]))
