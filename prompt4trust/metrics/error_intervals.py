"""Intervals of binned calibration errors, which stay right where the error is small or zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from prompt4trust.metrics.bootstrap import Interval
from prompt4trust.metrics.calibration import ace_cuts, ace_of, ece_cuts, ece_of
from prompt4trust.metrics.tally import FloatArray, Tally

_LEVEL = 0.95
"""Share of the drawn errors that are no surprise."""
_CANDIDATES = 24
"""Candidate errors that are tried; between them the ends are interpolated."""
_STEPS = 40
"""Steps of a path of gaps."""
_DOUBT = 0.5
"""Part of the way from many gaps to few that a sample gets for the doubt about how concentrated its gaps are."""
_REACH = 4
"""Standard deviations on either side of the observed error within which candidates are tried."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Runs of answers that lie in one bin, or share one confidence that bins share.

    Attributes:
        n: Answers of each cell; shape [cells].
        stated: Their mean confidence; shape [cells].
        noise: Variance of the number of right ones, were the confidences calibrated; shape [cells].
        right: Right ones among them; shape [cells].
        shares: Share of each cell that lies in each bin; shape [bins, cells].
    """

    n: FloatArray
    stated: FloatArray
    noise: FloatArray
    right: FloatArray
    shares: FloatArray

    @classmethod
    def of(cls, tally: Tally, cuts: Sequence[int]) -> _Cells:
        """Cut the answers in order of confidence after so many of them; 0 and their number are among the cuts."""
        ends = np.concatenate(([0.0], np.cumsum(tally.total[0])))
        inner = np.unique(np.asarray(cuts, dtype=np.float64))
        level = np.searchsorted(ends, inner, side="left")
        whole = ends[level] == inner
        bounds = np.unique(np.concatenate((inner[whole], ends[level[~whole]], ends[level[~whole] - 1])))
        starts = np.searchsorted(ends, bounds)[:-1]
        n, promised, noise, right = (
            np.add.reduceat(amount, starts)
            for amount in (
                tally.total[0],
                tally.total[0] * tally.levels,
                tally.total[0] * tally.levels * (1 - tally.levels),
                tally.right[0],
            )
        )
        lower, upper = np.maximum(bounds[:-1], inner[:-1, None]), np.minimum(bounds[1:], inner[1:, None])
        return cls(n, promised / n, noise, right, np.maximum(upper - lower, 0) / n)

    def error(self, surplus: FloatArray) -> FloatArray:
        """Sum up the unsigned gaps of the bins.

        Args:
            surplus: Right answers more than the confidences promise; shape [..., cells].

        Returns:
            Calibration errors; shape [...].
        """
        return np.asarray(np.abs(surplus @ self.shares.T).sum(axis=-1) / self.n.sum())


def _estimate(
    tally: Tally, errors: FloatArray, cuts: Sequence[int], draws: int, seed: int, effect: float
) -> ErrorEstimate:
    if len(errors) != 1:
        raise ValueError(f"an interval is of one sample, not of {len(errors)}")
    if draws < 1:
        raise ValueError(f"there must be at least one draw, not {draws}")
    if not effect >= 1:
        raise ValueError(f"the effect must be at least 1, not {effect}")
    cells = _Cells.of(tally, cuts)
    observed = float(errors[0])
    gaps, hidden = _candidates(cells, effect)
    candidates = np.maximum.accumulate(cells.error(gaps * cells.n))
    drawn = _drawn(cells, gaps, hidden, draws, effect, np.random.default_rng(seed))
    low, high = _accepted(candidates, drawn, observed)
    # Of finitely many draws: the observed error, its own likeliest candidate, is never left out, and noise only raises.
    low, high = min(low, observed), min(max(high, observed), 1.0)
    debiased = float(np.clip(_debiased(candidates, drawn, observed), low, observed))
    return ErrorEstimate(observed, debiased, low, high)


def _candidates(cells: _Cells, effect: float) -> tuple[FloatArray, FloatArray]:
    """Lay out gaps of the cells along a path of errors, from none to more than observed.

    How much noise adds to an error depends on how many cells are off: few large gaps are what it adds most to. A
    candidate lies between two shapes. One has many gaps: the mean of all observed ones made smaller in proportion, and
    of all brought nearer to 0 by as many standard errors. The other has few: the least significant are dropped first.
    How much of the second there is, is what the sample shows: whether its gaps are concentrated in few bins as samples
    of the one or of the other would be. That is a noisy sign, and an error that is taken to have more gaps than it has
    gets an interval above it, while one that is taken to have fewer gets a wider one: the sample counts as half of the
    way more concentrated than it looks, and the place is never nearer to many gaps than to few. Where noise hides the
    error, samples show little, and the second prevails.

    Returns:
        Gaps; shape [errors, cells]. How much noise hides each error, from 1 down to 0; shape [errors].
    """
    n, stated = cells.n, cells.stated
    surplus = cells.right - n * stated
    share = np.clip((cells.right + 2 * stated) / (n + 2), 0.01, 0.99)
    variance = n * share * (1 - share) * effect
    by_noise = np.sqrt(2 / np.pi) * np.sqrt(cells.shares**2 @ cells.noise * effect).sum() / n.sum()
    observed, reach = cells.error(surplus), _REACH * np.sqrt(variance.sum()) / n.sum()
    # 0 is always among them: it says what noise alone makes.
    wanted = np.append(0, np.linspace(max(0, observed - by_noise - reach), observed + reach, _CANDIDATES))
    sign = np.where(surplus == 0, np.where(stated > 0.5, -1.0, 1.0), np.sign(surplus))
    fractions = np.linspace(0, 1, _STEPS)[:, None] ** 2
    shrunk = sign * np.maximum(np.abs(surplus) - fractions[::-1] * (np.abs(surplus) / variance).max() * variance, 0)
    stretched = np.clip(surplus + fractions[1:] * sign * variance * (n / variance).max(), -n * stated, n * (1 - stated))
    hidden = np.exp(-wanted / max(by_noise, 1e-12))
    paths = (
        np.concatenate((shrunk, stretched)),
        _in_proportion(cells, surplus, sign),
        np.concatenate((_fewest(surplus, variance), stretched)),
    )
    by_steps, in_proportion, few = (_at(wanted, cells, path) for path in paths)
    many = (by_steps + in_proportion) / 2
    part = np.maximum(_nearness(cells, surplus, many, few, effect), hidden)
    return np.asarray((many + part[:, None] * (few - many)) / n), hidden


def _in_proportion(cells: _Cells, surplus: FloatArray, sign: FloatArray) -> FloatArray:
    """Multiply all surpluses, from 0 to as far as there are answers; shape [steps, cells]."""
    farthest = np.where(sign > 0, cells.n * (1 - cells.stated), cells.n * cells.stated)
    # Where there is none, one far below its noise stands for it, so that it can grow.
    unsigned = np.maximum(np.abs(surplus), 1e-3 * np.sqrt(cells.n))
    factors = np.concatenate(([0], np.geomspace(0.02, 50, 2 * _STEPS)))[:, None]
    return np.concatenate((sign * np.minimum(factors * unsigned, farthest), [sign * farthest]))


def _nearness(cells: _Cells, surplus: FloatArray, one: FloatArray, other: FloatArray, effect: float) -> FloatArray:
    """Place the sample's concentration between those of samples with one or the other surplus; 0.5 to 1, by candidate.

    The benefit of the doubt is in it.
    """
    squares, total = np.square(surplus @ cells.shares.T).sum(), cells.error(surplus) * cells.n.sum()
    near, far = (_concentration(cells, each, effect) for each in (one, other))
    between = far - near
    part = (squares / max(total**2, 1e-12) - near) / np.where(between > 1e-12, between, 1)
    return np.where(between > 1e-12, np.clip(part + _DOUBT, _DOUBT, 1), _DOUBT)


def _concentration(cells: _Cells, surplus: FloatArray, effect: float) -> FloatArray:
    """Sum of squares over square of the sum of the bins' unsigned surpluses, expected of normal noise; by candidate."""
    share = np.clip(cells.stated + surplus / cells.n, 0.005, 0.995)
    noise = np.sqrt(effect * (cells.n * share * (1 - share)) @ (cells.shares**2).T) + 1e-12
    mean = surplus @ cells.shares.T
    squares, ratio = mean**2 + noise**2, mean / noise
    unsigned = noise * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + mean * (2 * ndtr(ratio) - 1)
    return np.asarray(squares.sum(axis=-1) / (unsigned.sum(axis=-1) ** 2 + (squares - unsigned**2).sum(axis=-1)))


def _fewest(surplus: FloatArray, variance: FloatArray) -> FloatArray:
    """Let the cells' surpluses in, the most significant first, each in four steps; shape [steps, cells]."""
    order = np.argsort(-np.abs(surplus) / np.sqrt(variance), kind="stable")
    place = np.empty(len(order))
    place[order] = np.arange(len(order))
    steps = np.arange(4 * len(order) + 1)[:, None] / 4
    return np.asarray(np.clip(steps - place, 0, 1) * surplus)


def _at(wanted: FloatArray, cells: _Cells, path: FloatArray) -> FloatArray:
    """Find the places of a path with the errors wanted, or its end; shape [wanted, cells]."""
    errors = np.maximum.accumulate(cells.error(path))
    return np.stack([np.interp(wanted, errors, each) for each in path.T], axis=1)


def _drawn(
    cells: _Cells, gaps: FloatArray, hidden: FloatArray, draws: int, effect: float, random: np.random.Generator
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
    unsigned = np.abs((gaps * cells.n) @ cells.shares.T) / size
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


def _debiased(errors: FloatArray, drawn: FloatArray, observed: float) -> float:
    return float(np.interp(observed, np.maximum.accumulate(drawn.mean(axis=1)), errors))


def _crossing(errors: FloatArray, margin: FloatArray, inside: int, outside: int) -> float:
    if not 0 <= outside < len(errors):
        return float(errors[inside])
    part = margin[inside] / (margin[inside] - margin[outside])
    return float(errors[inside] + part * (errors[outside] - errors[inside]))
