"""Ways to find a threshold for an accepted risk, for many sets of answers at once: the product's and others'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from benchmarks.selection.populations import PER_CENTS, Bools, Floats, Population
from prompt4trust.selection import place_start, start_counts
from prompt4trust.selection.starts import set_aside

Ints = npt.NDArray[np.int64]
Procedure = Callable[[Population, Floats, Bools, float, float], Floats]
"""Population, ranks [sets, n] ascending, wrong [sets, n], max_risk, delta -> ranks down to which is answered, 0 for
none; shape [sets]."""


def several_starts(_population: Population, rank: Floats, wrong: Bools, max_risk: float, delta: float) -> Floats:
    """Answer by the product's rule, as `RiskRule` with `start_counts` finds it."""
    n = rank.shape[1]
    p = _p_values(np.cumsum(wrong, axis=1), np.arange(1, n + 1), max_risk)
    begins = [count - 1 for count in start_counts(n)]
    ends = [*begins[1:], n]
    reached = np.zeros(len(rank), dtype=np.int64)
    for first in range(len(begins)):
        alive = np.ones(len(rank), dtype=np.bool_)
        for taken, (low, high) in enumerate(zip(begins[first:], ends[first:], strict=True)):
            passed = _first_true(p[:, low:high] > delta * (taken + 1) / len(begins))
            reached = np.maximum(reached, np.where(alive & (passed > 0), low + passed, 0))
            alive &= passed == high - low
    return _rank_of(rank, reached)


def one_start(population: Population, rank: Floats, wrong: Bools, max_risk: float, delta: float) -> Floats:
    """Answer by one start that a tenth of the rows places, as guards of format 2 did."""
    sets, n = rank.shape
    # A selection score falls with the rank; its whole part is the stated confidence.
    level = np.minimum(np.searchsorted(population.ends, rank), len(PER_CENTS) - 1)
    score = (
        100 * PER_CENTS[level]
        + 1
        - 1e-9
        - (rank - (population.ends - population.mass)[level]) / np.maximum(population.mass[level], 1e-12)
    )
    found = np.zeros(sets)
    for each in range(sets):
        placing, testing = (np.sort(np.asarray(rows)) for rows in set_aside(n, each))
        start = place_start(score[each, placing], wrong[each, placing], len(testing), delta)
        begin = int((score[each, testing] >= start).sum())
        if begin == 0:
            continue
        errors = np.cumsum(wrong[each, testing])[begin - 1 :]
        p = _p_values(errors[None], np.arange(begin, len(testing) + 1), max_risk)
        passed = int(_first_true(p > delta)[0])
        last = begin - 2 + passed
        found[each] = 0.0 if not passed else 1.0 if last == len(testing) - 1 else rank[each, testing[last]]
    return found


def learn_then_test(grid: Floats) -> Procedure:
    """Make plain Learn then Test: exact tests at thresholds of a grid, with Bonferroni's correction."""

    def answer(population: Population, rank: Floats, wrong: Bools, max_risk: float, delta: float) -> Floats:
        ends, p = _on_grid(grid, population, rank, wrong, max_risk)
        return np.asarray(np.where(p <= delta / len(grid), ends, 0.0).max(axis=1))

    return answer


def holm(grid: Floats) -> Procedure:
    """Make Learn then Test with Holm's step-down correction instead, which is MAPIE's default."""

    def answer(population: Population, rank: Floats, wrong: Bools, max_risk: float, delta: float) -> Floats:
        ends, p = _on_grid(grid, population, rank, wrong, max_risk)
        order = np.argsort(p, axis=1, kind="stable")
        steps = np.take_along_axis(p, order, axis=1) <= delta / np.arange(len(grid), 0, -1)
        rejected = np.arange(len(grid)) < _first_true(~steps)[:, None]
        return np.asarray(np.where(rejected, ends[order], 0.0).max(axis=1))

    return answer


def fixed_sequence(grid: Floats) -> Procedure:
    """Make MAPIE's fixed sequence: from the strictest threshold down, with the p-values of Hoeffding and Bentkus."""

    def answer(population: Population, rank: Floats, wrong: Bools, max_risk: float, delta: float) -> Floats:
        ends, p = _on_grid(grid, population, rank, wrong, max_risk, exact=False)
        passed = _first_true(p > delta)
        return np.where(passed > 0, ends[np.maximum(passed - 1, 0)], 0.0)

    return answer


HUNDREDTHS = np.arange(99, -1, -1) / 100
"""MAPIE's thresholds, where nobody names others."""
TWENTIETHS = np.arange(19, -1, -1) / 20

PROCEDURES: Mapping[str, Procedure] = MappingProxyType(
    {
        "several starts": several_starts,
        "one start, placed by a tenth": one_start,
        "Learn then Test, 100 thresholds": learn_then_test(HUNDREDTHS),
        "Learn then Test, 20 thresholds": learn_then_test(TWENTIETHS),
        "Holm, 100 thresholds": holm(HUNDREDTHS),
        "fixed sequence, 100 thresholds": fixed_sequence(HUNDREDTHS),
        "fixed sequence, 20 thresholds": fixed_sequence(TWENTIETHS),
    }
)
"""Name -> procedure; the first is the product's."""


def _on_grid(
    grid: Floats, population: Population, rank: Floats, wrong: Bools, max_risk: float, *, exact: bool = True
) -> tuple[Floats, Floats]:
    """Test thresholds from the strictest down; the ranks they reach [thresholds], and p-values [sets, thresholds]."""
    # The last answer of a confidence that is at or above the threshold.
    ends = population.ends[np.searchsorted(-PER_CENTS, -grid + 1e-9) - 1]
    none = np.zeros((len(rank), 1), dtype=np.int64)
    errors = np.concatenate((none, np.cumsum(wrong, axis=1, dtype=np.int64)), axis=1)
    accepted: Ints = np.stack([np.count_nonzero(rank <= end, axis=1) for end in ends], axis=1).astype(np.int64)
    found: Ints = np.take_along_axis(errors, accepted, axis=1)
    p = _p_values(found, accepted, max_risk)
    if not exact:
        share = np.minimum(found / np.maximum(accepted, 1), max_risk)
        # Hoeffding's bound by the divergence of two coins, and Bentkus' by e times the binomial tail.
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = np.where(share > 0, share * np.log(share / max_risk), 0) + (1 - share) * np.log(
                (1 - share) / (1 - max_risk)
            )
        p = np.where(accepted > 0, np.minimum(np.exp(-accepted * apart), np.minimum(np.e * p, 1.0)), 1.0)
    return ends, p


def _p_values(errors: Ints, accepted: Ints, max_risk: float) -> Floats:
    """Compute the chance of so few errors at a rate of max_risk; 1 of no answers."""
    chances: Floats = bdtr(errors.astype(np.float64), accepted, max_risk)
    return np.where(accepted > 0, chances, 1.0)


def _first_true(flags: Bools) -> Ints:
    """Find the first place that is true, or their number where none is; shape [sets]."""
    return np.asarray(np.where(flags.any(axis=1), flags.argmax(axis=1), flags.shape[1]), dtype=np.int64)


def _rank_of(rank: Floats, accepted: Ints) -> Floats:
    """Find the rank of the last answer accepted; 0 of none, and 1 of all, for then nothing is left to a person."""
    none, everything = np.zeros((len(rank), 1)), np.ones((len(rank), 1))
    ends = np.concatenate((none, rank[:, :-1], everything), axis=1)
    return np.take_along_axis(ends, accepted[:, None], axis=1)[:, 0]
