"""Intervals of binned calibration errors, which stay right where the error is small or zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prompt4trust.metrics.bootstrap import Interval
from prompt4trust.metrics.calibration import ace_cuts, ace_of, ece_cuts, ece_of
from prompt4trust.metrics.tally import FloatArray, Tally

_LEVEL = 0.955
"""Share of the drawn errors that are no surprise. Half a point above 95 %, which their finite number costs."""
_WIDENING = 0.02
"""Added to the level, at the most, where noise hides how the gaps lie. The form of what is added (see `_accepted`) was
chosen by simulation (`benchmarks/intervals`): without it, errors of a single bin were covered in 89 % of samples."""
_CANDIDATES = 24
"""Candidate errors that are tried; between them the ends are interpolated."""
_STEPS = 40
"""Steps of a path of gaps."""
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
        right: Right ones among them; shape [cells].
        shares: Share of each cell that lies in each bin; shape [bins, cells].
    """

    n: FloatArray
    stated: FloatArray
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
        n, promised, right = (
            np.add.reduceat(amount, starts)
            for amount in (tally.total[0], tally.total[0] * tally.levels, tally.right[0])
        )
        lower, upper = np.maximum(bounds[:-1], inner[:-1, None]), np.minimum(bounds[1:], inner[1:, None])
        return cls(n, promised / n, right, np.maximum(upper - lower, 0) / n)

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
    gaps, doubt = _candidates(cells, effect)
    candidates = np.maximum.accumulate(cells.error(gaps * cells.n))
    drawn = _drawn(cells, gaps, doubt, draws, effect, np.random.default_rng(seed))
    low, high = _accepted(candidates, drawn, observed)
    # Of finitely many draws: the observed error, its own likeliest candidate, is never left out, and noise only raises.
    low, high = min(low, observed), min(max(high, observed), 1.0)
    debiased = float(np.clip(_debiased(candidates, drawn, observed), low, observed))
    return ErrorEstimate(observed, debiased, low, high)


def _candidates(cells: _Cells, effect: float) -> tuple[FloatArray, FloatArray]:
    """Lay out gaps of the cells along a path of errors, from none to more than observed.

    How much noise adds to an error depends on how many cells are off. Shrinking all gaps by as many standard errors
    leaves many small ones; dropping the least significant first leaves few. Near 0, where the data do not tell, the
    path holds more of the second, which adds more; where the error stands out from the noise, it is the first.

    Returns:
        Gaps; shape [errors, cells]. How much of the second is in each candidate, from 1 down to 0; shape [errors].
    """
    n, stated = cells.n, cells.stated
    surplus = cells.right - n * stated
    share = np.clip((cells.right + 2 * stated) / (n + 2), 0.01, 0.99)
    variance = n * share * (1 - share) * effect
    by_noise = np.sqrt(2 / np.pi) * np.sqrt(cells.shares**2 @ (n * stated * (1 - stated)) * effect).sum() / n.sum()
    observed, reach = cells.error(surplus), _REACH * np.sqrt(variance.sum()) / n.sum()
    # 0 is always among them: it says what noise alone makes.
    wanted = np.append(0, np.linspace(max(0, observed - by_noise - reach), observed + reach, _CANDIDATES))
    sign = np.where(surplus == 0, np.where(stated > 0.5, -1.0, 1.0), np.sign(surplus))
    fractions = np.linspace(0, 1, _STEPS)[:, None] ** 2
    shrunk = sign * np.maximum(np.abs(surplus) - fractions[::-1] * (np.abs(surplus) / variance).max() * variance, 0)
    stretched = np.clip(surplus + fractions[1:] * sign * variance * (n / variance).max(), -n * stated, n * (1 - stated))
    fewest = _fewest(surplus, variance)
    few = np.exp(-wanted / max(by_noise, 1e-12))
    paths = [_at(wanted, cells, np.concatenate((inner, stretched))) for inner in (shrunk, fewest)]
    return np.asarray((paths[0] + few[:, None] * (paths[1] - paths[0])) / n), few


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
    cells: _Cells, gaps: FloatArray, doubt: FloatArray, draws: int, effect: float, random: np.random.Generator
) -> FloatArray:
    """Draw errors of samples under each candidate; shape [errors, draws]."""
    right = np.clip(cells.stated + gaps, 0, 1)[:, None, :]
    counts = random.binomial(cells.n.astype(np.int64), np.broadcast_to(right, (len(gaps), draws, right.shape[-1])))
    surplus = counts - cells.n * cells.stated
    if effect > 1:
        # Rows that belong together add noise, of which no more fits into a cell than that all be right, or wrong.
        expected = cells.n * (right - cells.stated)
        most, least = cells.n * (1 - cells.stated), -cells.n * cells.stated
        surplus = np.clip(expected + np.sqrt(effect) * (surplus - expected), least, most)
    drawn = cells.error(surplus)
    # Other samples hold other numbers of answers in each bin, which matters where the bins' gaps differ.
    size = cells.shares @ cells.n
    unsigned = np.abs((gaps * cells.n) @ cells.shares.T) / size
    weight = size / size.sum()
    spread = np.maximum(unsigned**2 @ weight - (unsigned @ weight) ** 2, 0) / size.sum()
    # Gaps that were read off a few answers understate the noise: variances lack 1 / (n - 1).
    lacking = (right * (1 - right))[:, 0] @ (cells.n / np.maximum(cells.n - 1, 1)) / size.sum() ** 2
    spread += (1 - doubt) * lacking
    return np.asarray(drawn + np.sqrt(effect * spread)[:, None] * random.standard_normal(drawn.shape))


def _accepted(errors: FloatArray, drawn: FloatArray, observed: float) -> tuple[float, float]:
    """Find the ends of the candidates under which the observed error is no surprise."""
    mean, deviation = drawn.mean(axis=1), drawn.std(axis=1) + 1e-9

    def surprise(error: FloatArray) -> FloatArray:
        # Twice the log of the ratio of likelihoods, of normal errors: of the best candidate, which is 0 where the error
        # is below what noise alone makes, over this one.
        best = np.minimum(error - mean[0], 0) / deviation[0]
        return np.asarray(((error - mean[:, None]) / deviation[:, None]) ** 2 - best**2)

    # As roots, which are near to straight lines between the candidates.
    hidden = errors / (0.3 * mean[0] + 1e-9)
    levels = _LEVEL + _WIDENING * hidden * np.exp(1 - hidden)
    likely = [np.quantile(each, level) for each, level in zip(surprise(drawn), levels, strict=True)]
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
