"""Risk-controlled deferral: the least confidence at which answers keep to a largest share of errors, provably.

Learn then Test (Angelopoulos, Bates, Candes, Jordan and Lei, arXiv 2110.01052) with *fixed-sequence testing on split
data*. For a threshold t let R(t) be the share of wrong answers among those with a score of at least t (the selective
risk: given how many are accepted, the errors among them are binomial). From a starting threshold downwards the
hypotheses "R(t) exceeds max_risk" are tested one after the other by the exact binomial test at the full level delta,
until the first one is not rejected; the last rejected threshold is used. For an error the first true hypothesis of the
sequence would have to be rejected, which happens with a probability of at most delta: many thresholds are tested, and
no correction is paid for that. This needs a sequence that the tested rows had no part in choosing. The thresholds below
the start may be all real numbers, so only the start must come from elsewhere: a tenth of the rows, which then test
nothing, place it where the smallest error rate could be proved.

Geifman and El-Yaniv's SGR (NeurIPS 2017) bounds the same risk with a union bound over the thresholds that its search
visits, about log2(n) of them: at n = 1000 each is tested at delta / 10, and fewer questions are answered. Nothing here
assumes that more confidence means fewer errors; where it does not, fewer questions are answered, not more wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.tally import BoolArray, FloatArray
from prompt4trust.selection.bounds import upper_bound
from prompt4trust.selection.ranking import level_of

_NEAR = 1.1
"""A start may cost a tenth of the smallest provable error rate if it is stricter for that."""
_DOUBT = 0.3


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold, and the tested answers that reach it.

    Attributes:
        score: Least selection score at which an answer is given.
        accepted: Tested answers at or above it.
        errors: Wrong ones among them.
        bound: Upper bound on the error rate of such answers: the largest from the start of the sequence down to here.
    """

    score: float
    accepted: int
    errors: int
    bound: float

    @property
    def confidence(self) -> float:
        """The least confidence at which an answer may be given, to 4 decimals."""
        return level_of(self.score)

    @property
    def share_at_limit(self) -> float:
        """Share of the answers of exactly that confidence that are given, in (0, 1]."""
        return 1 - self.score % 1


class RiskRule:
    """Thresholds for any accepted risk, from the tested rows and a start that they had no part in.

    Args:
        scores: Selection scores of the tested answers; shape [n].
        wrong: Whether each is wrong; shape [n].
        start: The strictest threshold, where testing begins.
        delta: Probability with which a promise may fail over the draw of the tested rows, in (0, 1).

    Raises:
        ValueError: If the shapes differ or delta is out of range.

    Example:
        >>> scores = [9000.0] * 300 + [6000.0] * 100  # answers stated at 0.9 and at 0.6
        >>> wrong = [True] * 6 + [False] * 294 + [True] * 40 + [False] * 60
        >>> rule = RiskRule(scores, wrong, start=9000.0, delta=0.05)
        >>> limit = rule.at(max_risk=0.05)
        >>> limit.confidence, limit.accepted, limit.errors, round(limit.bound, 3)
        (0.9, 300, 6, 0.039)
        >>> rule.at(max_risk=0.01) is None
        True
    """

    def __init__(self, scores: npt.ArrayLike, wrong: npt.ArrayLike, start: float, delta: float) -> None:
        found, errors = np.asarray(scores, dtype=np.float64), np.asarray(wrong, dtype=np.bool_)
        if found.ndim != 1 or found.shape != errors.shape:
            raise ValueError("scores and wrong must be one-dimensional and of the same length")
        self.delta = delta
        self._limits, self._accepted, self._errors = _sequence(found, errors, start)
        # A threshold is reached only if all stricter ones of the sequence were passed: the worst bound so far counts.
        self._bounds = np.maximum.accumulate(upper_bound(self._errors, self._accepted, delta))

    @property
    def least_risk(self) -> float:
        """The smallest accepted risk for which anything is answered."""
        return float(self._bounds[0])

    def at(self, max_risk: float) -> Limit | None:
        """Find the least threshold whose error rate is at most max_risk with probability 1 - delta.

        The promise is for a max_risk that was chosen without looking at these rows, each one by itself.

        Args:
            max_risk: Largest accepted share of wrong answers among those given, in [0, 1].

        Returns:
            The threshold, lower (or the same) for a larger max_risk; None where none can be promised.

        Raises:
            ValueError: If max_risk is out of range.
        """
        if not 0 <= max_risk <= 1:
            raise ValueError(f"max_risk must be in [0, 1], not {max_risk}")
        passed = int(np.searchsorted(self._bounds, max_risk, side="right"))
        if passed == 0:
            return None
        score = float(self._limits[passed - 1])
        # Thresholds between two scores that were seen accept the same rows as the upper one, so they are passed too:
        # down to a whole level where that is among them, or to nothing where all were passed.
        if passed == len(self._bounds):
            score = 0.0
        elif np.floor(score) > self._limits[passed]:
            score = float(np.floor(score))
        return Limit(
            score, int(self._accepted[passed - 1]), int(self._errors[passed - 1]), float(self._bounds[passed - 1])
        )


def place_start(scores: npt.ArrayLike, wrong: npt.ArrayLike, tested: int, delta: float) -> float:
    """Choose where testing begins: where the smallest error rate is likely to be provable.

    Args:
        scores: Selection scores of rows that are set aside for this; shape [m], m >= 1.
        wrong: Whether each is wrong; shape [m].
        tested: Number of the other rows, which will test.
        delta: Level of the tests, in (0, 1).

    Returns:
        A whole level (all answers of a confidence): the strictest at which the expected bound is near the least one,
        since a start that is too strict costs a large accepted risk little, and one that is too lax a small one all.

    Raises:
        ValueError: If there are no rows.

    Example:
        >>> place_start([9000.0] * 30 + [6000.0] * 10, [False] * 30 + [True] * 10, tested=360, delta=0.05)
        9000.0
    """
    found, errors = np.asarray(scores, dtype=np.float64), np.asarray(wrong, dtype=np.bool_)
    if len(found) == 0:
        raise ValueError("a start is placed by at least one row")
    levels, accepted, mistakes = _sequence(np.floor(found), errors, np.inf)
    # A bound that holds rather than not: a handful of rows without an error is no sign of a rate of 0.
    rate = upper_bound(mistakes[1:], accepted[1:], _DOUBT)
    expected = np.maximum(np.round(accepted[1:] / len(found) * tested), 1)
    bounds = upper_bound(np.minimum(np.ceil(rate * expected), expected), expected, delta)
    return float(levels[1:][np.flatnonzero(bounds <= _NEAR * bounds.min())[0]])


def _sequence(scores: FloatArray, wrong: BoolArray, start: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """List the thresholds from the start down, with the rows and errors at or above each."""
    order = np.argsort(-scores, kind="stable")
    ranked, errors = scores[order], np.cumsum(wrong[order])
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))  # the last row of each distinct score
    below = last[ranked[last] < start] if len(ranked) else last
    above = int(np.count_nonzero(scores >= start))
    limits = np.concatenate(([start], ranked[below]))
    accepted = np.concatenate(([above], below + 1)).astype(np.float64)
    mistakes = np.concatenate(([errors[above - 1] if above else 0], errors[below])).astype(np.float64)
    return limits, accepted, mistakes


def set_aside(rows: int, seed: int) -> tuple[Sequence[int], Sequence[int]]:
    """Divide rows into those that place the start and those that test.

    Args:
        rows: Their number, at least 40.
        seed: Seed of the division.

    Returns:
        The rows' places: a tenth (at least 20, at most 300) to place the start, and the rest to test.

    Raises:
        ValueError: If there are fewer than 40.
    """
    if rows < 40:
        raise ValueError(f"at least 40 rows are needed, not {rows}")
    order = np.random.default_rng(seed).permutation(rows).tolist()
    count = min(max(rows // 10, 20), 300)
    return order[:count], order[count:]
