"""How often reviewers are wrong, from answers that were looked at more than once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.tally import BoolArray, FloatArray

MAX_RATE = 0.3
"""Largest rate that is looked at: an estimate that reaches it says that reviews tell too little to fit on, and of looks
that are wrong more often than not none can tell that it is not the other way round."""
STEP = 0.01
"""Rates are told from each other in whole per cents."""
MIN_TWICE = 30
"""Answers with two looks or more; with fewer, nothing is said of the rates."""
_BIN = 25
_MAX_BINS = 4
"""Answers with several looks are divided by the prior, into at most four parts of at least 25."""
_PRIOR = 1.0
"""Answers that the prior of a part's share of right ones counts for."""
_PENALTY = 10.0
"""Fall of the log-likelihood that the estimate (and nothing else) pays for a rate of 1: a tenth costs a nat, which a
few dozen answers outweigh."""
_DROP_OF_INTERVAL, _DROP_OF_REGION = 1.9207, 1.3528
"""Falls of the log-likelihood by which 95 % intervals of one quantity end, on both sides and on one: halves of the 95 %
and the 90 % quantile of the chi-squared distribution with one degree of freedom."""


@dataclass(frozen=True, slots=True)
class FlipRates:
    """How often a look is wrong.

    Attributes:
        right_called_wrong: Share of the right answers that a look finds wrong; in [0, 0.3].
        wrong_called_right: Share of the wrong answers that a look finds right; in [0, 0.3].

    Example:
        >>> FlipRates(0.5, 0)
        Traceback (most recent call last):
        ...
        ValueError: a flip rate lies between 0 and 0.3, not 0.5
    """

    right_called_wrong: float = 0.0
    wrong_called_right: float = 0.0

    def __post_init__(self) -> None:
        for rate in (self.right_called_wrong, self.wrong_called_right):
            if not 0 <= rate <= MAX_RATE:  # false for NaN, too
                raise ValueError(f"a flip rate lies between 0 and {MAX_RATE:g}, not {rate:g}")


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """The flip rates that looks at the same answers speak for.

    Attributes:
        rates: The estimate.
        right_called_wrong: 95 % interval of that rate, whatever the other is.
        wrong_called_right: The same of the other.
        region: The pairs of rates, in whole per cents, among which the worst for any one quantity bounds it on one side
            at 95 %. It is no region for both rates at once at that level.
        answers: Answers with two looks or more.
        contradicted: Those of them of which one look says right and another wrong.
    """

    rates: FlipRates
    right_called_wrong: tuple[float, float]
    wrong_called_right: tuple[float, float]
    region: tuple[FlipRates, ...]
    answers: int
    contradicted: int


def estimate_rates(right: npt.ArrayLike, wrong: npt.ArrayLike, prior: npt.ArrayLike) -> RateEstimate | None:
    """Estimate how often looks are wrong.

    Answers are right or wrong, nobody knows which, and looks at one answer err independently of each other given that,
    with the same two rates everywhere. The share of right answers is free in each of up to four parts of the answers,
    which the prior divides and of which it says no more than one answer would: a model that has become worse than the
    prior says makes other shares, and never flips. Parts of different shares are what tells the two rates apart where
    no answer has three looks.

    Two people who err on the same answers, because these are hard or because one has seen what the other said, make the
    rates look smaller than they are.

    Args:
        right: How many looks found each answer right; shape [n], counts from 0.
        wrong: How many found it wrong; shape [n].
        prior: The probability that it is right, as calibrated before; shape [n], in [0, 1].

    Returns:
        The estimate; None where fewer than 30 answers have two looks.

    Raises:
        ValueError: If the rows are not as described.

    Source: Dawid and Skene, Applied Statistics 28 (1979); two populations for two looks: Hui and Walter, Biometrics 36
    (1980). The likelihood is maximised over a grid of both rates, so that no start and no end of iterations matters;
    the intervals are those of the profile likelihood (Venzon and Moolgavkar, Applied Statistics 37, 1988). The
    estimate, unlike the intervals, pays for large rates.

    Example:
        >>> two_looks = [2] * 60 + [1] * 20 + [0] * 20  # of 100 answers, of which 20 were contradicted
        >>> found = estimate_rates(two_looks, [2 - n for n in two_looks], [0.7] * 100)
        >>> found.contradicted, found.right_called_wrong[0] <= found.rates.right_called_wrong
        (20, True)
    """
    said_right, said_wrong, chance = _checked(right, wrong, prior)
    several = said_right + said_wrong >= 2
    if several.sum() < MIN_TWICE:
        return None
    said_right, said_wrong, chance = said_right[several], said_wrong[several], chance[several]
    rates = np.round(np.arange(0, MAX_RATE + STEP / 2, STEP), 6)
    first, second = (each.ravel() for each in np.meshgrid(rates, rates, indexing="ij"))
    likelihood = np.zeros(len(first))
    for part in _parts(chance):
        likelihood += _likelihood(said_right[part], said_wrong[part], float(chance[part].mean()), first, second)
    penalised = likelihood - _PENALTY * (first + second)
    best, top = int(penalised.argmax()), float(likelihood.max())
    held = likelihood >= top - _DROP_OF_REGION
    alone = likelihood >= top - _DROP_OF_INTERVAL
    return RateEstimate(
        FlipRates(float(first[best]), float(second[best])),
        _ends(first[alone], float(first[best])),
        _ends(second[alone], float(second[best])),
        tuple(FlipRates(float(a), float(b)) for a, b in zip(first[held], second[held], strict=True)),
        len(chance),
        int(((said_right > 0) & (said_wrong > 0)).sum()),
    )


def box(right_called_wrong: float, wrong_called_right: float, steps: int = 10) -> tuple[FlipRates, ...]:
    """List all pairs of rates up to two bounds, on a grid that has the bounds themselves.

    Example:
        >>> len(box(0.2, 0.2)), len(box(0.0, 0.0)), box(0.2, 0.1)[-1]
        (121, 1, FlipRates(right_called_wrong=0.2, wrong_called_right=0.1))
    """
    ends = (right_called_wrong, wrong_called_right)
    first, second = (sorted({float(each) for each in np.linspace(0, end, steps + 1)}) for end in ends)
    return tuple(FlipRates(a, b) for a in first for b in second)


def widened(region: Sequence[FlipRates], least: FlipRates) -> tuple[FlipRates, ...]:
    """Add to a region, for each pair of rates, the one that is at least so large.

    Args:
        region: Pairs of rates.
        least: What each rate may be as well, however small the looks make it.
    """
    raised = (
        FlipRates(
            max(each.right_called_wrong, least.right_called_wrong),
            max(each.wrong_called_right, least.wrong_called_right),
        )
        for each in region
    )
    return tuple(dict.fromkeys((*region, *raised)))


def _checked(right: npt.ArrayLike, wrong: npt.ArrayLike, prior: npt.ArrayLike) -> tuple[FloatArray, ...]:
    said_right, said_wrong, chance = (np.asarray(each, dtype=np.float64) for each in (right, wrong, prior))
    if not (said_right.shape == said_wrong.shape == chance.shape and chance.ndim == 1):
        raise ValueError("looks and prior must be rows of the same length")
    for counts in (said_right, said_wrong):
        if not np.all((counts >= 0) & (counts == np.floor(counts))):  # false for NaN, too
            raise ValueError("looks are counted: every number of them is 0 or more, and whole")
    if not np.all((chance >= 0) & (chance <= 1)):
        raise ValueError("every prior must be a number in [0, 1]")
    return said_right, said_wrong, chance


def _parts(chance: FloatArray) -> list[BoolArray]:
    """Divide rows by the prior into parts of about equal size; equal priors stay together."""
    count = max(1, min(_MAX_BINS, len(chance) // _BIN))
    edges = np.unique(np.quantile(chance, np.arange(1, count) / count))
    part = np.searchsorted(edges, chance, side="right")
    return [part == each for each in np.unique(part)]


def _likelihood(
    right: FloatArray, wrong: FloatArray, prior: float, first: FloatArray, second: FloatArray
) -> FloatArray:
    """Maximise a part's log-likelihood over its share of right answers, for each pair of rates; shape as theirs."""
    patterns, counts = np.unique(np.stack([right, wrong]), axis=1, return_counts=True)
    a, b = (np.clip(each, 1e-9, 1)[:, None] for each in (first, second))
    if_right = patterns[0] * np.log1p(-a) + patterns[1] * np.log(a)
    if_wrong = patterns[0] * np.log(b) + patterns[1] * np.log1p(-b)
    top = np.maximum(if_right, if_wrong)
    right_part, wrong_part = np.exp(if_right - top), np.exp(if_wrong - top)
    for_right, for_wrong = _PRIOR * prior, _PRIOR * (1 - prior)
    low, high = np.full(len(first), 1e-9), np.full(len(first), 1 - 1e-9)
    for _ in range(40):  # the slope falls with the share, so that its zero lies where halving finds it
        share = (low + high) / 2
        mixed = share[:, None] * right_part + (1 - share)[:, None] * wrong_part
        slope = ((right_part - wrong_part) / mixed) @ counts + for_right / share - for_wrong / (1 - share)
        low, high = np.where(slope > 0, share, low), np.where(slope > 0, high, share)
    share = (low + high) / 2
    mixed = share[:, None] * right_part + (1 - share)[:, None] * wrong_part
    value = (np.log(mixed) + top) @ counts
    return np.asarray(value + for_right * np.log(share) + for_wrong * np.log1p(-share), dtype=np.float64)


def _ends(values: FloatArray, estimate: float) -> tuple[float, float]:
    return min(float(values.min()), estimate), max(float(values.max()), estimate)
