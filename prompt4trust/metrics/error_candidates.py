"""Gaps of the bins under which calibration errors of many sizes are tried, for their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from prompt4trust.metrics.tally import FloatArray, Tally

_CANDIDATES = 24
"""Candidate errors that are tried; between them the ends are interpolated."""
_STEPS = 40
"""Steps of a path of gaps."""
_DOUBT = 0.5
"""Part of the way from many gaps to few that a sample gets for the doubt about how concentrated its gaps are."""
_REACH = 4
"""Standard deviations on either side of the observed error within which candidates are tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
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
    def of(cls, tally: Tally, cuts: Sequence[int]) -> Cells:
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

    @property
    def surplus(self) -> FloatArray:
        """Right answers more than the confidences promise; shape [cells]."""
        return np.asarray(self.right - self.n * self.stated)

    def by_bin(self, surplus: FloatArray) -> FloatArray:
        """Share the surpluses of cells, shape [..., cells], out among the bins; shape [..., bins]."""
        return np.asarray(surplus @ self.shares.T)

    def error(self, surplus: FloatArray) -> FloatArray:
        """Sum up the unsigned gaps of the bins for surpluses of cells, shape [..., cells]; shape [...]."""
        return np.asarray(np.abs(self.by_bin(surplus)).sum(axis=-1) / self.n.sum())


def candidate_gaps(cells: Cells, effect: float) -> tuple[FloatArray, FloatArray]:
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
    n, stated, surplus = cells.n, cells.stated, cells.surplus
    share = np.clip((cells.right + 2 * stated) / (n + 2), 0.01, 0.99)
    variance = n * share * (1 - share) * effect
    by_noise = np.sqrt(2 / np.pi) * np.sqrt(cells.shares**2 @ cells.noise * effect).sum() / n.sum()
    observed, reach = cells.error(surplus), _REACH * np.sqrt(variance.sum()) / n.sum()
    # 0 is always among them: it says what noise alone makes.
    wanted = np.append(0, np.linspace(max(0, observed - by_noise - reach), observed + reach, _CANDIDATES))
    sign = np.where(surplus == 0, np.where(stated > 0.5, -1.0, 1.0), np.sign(surplus))
    shrunk, stretched = _by_steps(cells, sign, variance)
    by_steps, in_proportion, few = (
        _at(wanted, cells, path)
        for path in (
            np.concatenate((shrunk, stretched)),
            _in_proportion(cells, sign),
            np.concatenate((_fewest(surplus, variance), stretched)),
        )
    )
    many = (by_steps + in_proportion) / 2
    hidden = np.exp(-wanted / max(by_noise, 1e-12))
    part = np.maximum(_nearness(cells, many, few, effect), hidden)
    return np.asarray((many + part[:, None] * (few - many)) / n), hidden


def _by_steps(cells: Cells, sign: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bring all surpluses nearer to 0 by as many standard errors each, and push them as far as there are answers.

    Returns:
        From 0 to the observed ones, and on from there; shape [steps, cells] each.
    """
    n, stated, surplus = cells.n, cells.stated, cells.surplus
    fractions = np.linspace(0, 1, _STEPS)[:, None] ** 2
    shrunk = sign * np.maximum(np.abs(surplus) - fractions[::-1] * (np.abs(surplus) / variance).max() * variance, 0)
    stretched = np.clip(surplus + fractions[1:] * sign * variance * (n / variance).max(), -n * stated, n * (1 - stated))
    return shrunk, stretched


def _in_proportion(cells: Cells, sign: FloatArray) -> FloatArray:
    """Multiply all surpluses, from 0 to as far as there are answers; shape [steps, cells]."""
    farthest = np.where(sign > 0, cells.n * (1 - cells.stated), cells.n * cells.stated)
    # Where there is none, one far below its noise stands for it, so that it can grow.
    unsigned = np.maximum(np.abs(cells.surplus), 1e-3 * np.sqrt(cells.n))
    factors = np.concatenate(([0], np.geomspace(0.02, 50, 2 * _STEPS)))[:, None]
    return np.concatenate((sign * np.minimum(factors * unsigned, farthest), [sign * farthest]))


def _nearness(cells: Cells, one: FloatArray, other: FloatArray, effect: float) -> FloatArray:
    """Place the sample's concentration between those of samples with one or the other surplus; 0.5 to 1, by candidate.

    The benefit of the doubt is in it.
    """
    squares, total = np.square(cells.by_bin(cells.surplus)).sum(), cells.error(cells.surplus) * cells.n.sum()
    near, far = (_concentration(cells, each, effect) for each in (one, other))
    between = far - near
    part = (squares / max(total**2, 1e-12) - near) / np.where(between > 1e-12, between, 1)
    return np.where(between > 1e-12, np.clip(part + _DOUBT, _DOUBT, 1), _DOUBT)


def _concentration(cells: Cells, surplus: FloatArray, effect: float) -> FloatArray:
    """Sum of squares over square of the sum of the bins' unsigned surpluses, expected of normal noise; by candidate."""
    share = np.clip(cells.stated + surplus / cells.n, 0.005, 0.995)
    noise = np.sqrt(effect * (cells.n * share * (1 - share)) @ (cells.shares**2).T) + 1e-12
    mean = cells.by_bin(surplus)
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


def _at(wanted: FloatArray, cells: Cells, path: FloatArray) -> FloatArray:
    """Find the places of a path with the errors wanted, or its end; shape [wanted, cells]."""
    errors = np.maximum.accumulate(cells.error(path))
    return np.stack([np.interp(wanted, errors, each) for each in path.T], axis=1)
