"""Risk-controlled deferral: the least confidence at which answers keep to a largest share of errors, provably.

Learn then Test (Angelopoulos, Bates, Candes, Jordan and Lei, arXiv 2110.01052) with *fixed-sequence testing*. For a
threshold t let R(t) be the share of wrong answers among those with a score of at least t (the selective risk: given how
many are accepted, the errors among them are binomial). From a start downwards the hypotheses "R(t) exceeds max_risk"
are tested one after the other by the exact binomial test, until the first one is not rejected; the last rejected
threshold is used. For an error the first true hypothesis after the start would have to be rejected, which happens with
a probability of at most the level of the test: many thresholds are tested, and no correction is paid for that. The
outcomes that are tested must have had no part in choosing the start. There are two ways to have one:

- *Several starts by number* (`prompt4trust.selection.starts.start_counts`): where so many answers are accepted,
  whatever became of them. They share delta; a sequence that comes down to the next start takes that one's share along
  (Wiens' fallback procedure, Pharmaceutical Statistics 2, 2003). All answers are tested.
- *One start by threshold* (`place_start`), which a tenth of the answers places, and the rest test at all of delta. For
  answers of equal confidence that are kept together, and in guards of format 2 and before.

Why a start may be a number of accepted answers: it is settled by scores, not by outcomes. Where it lies at a threshold
that is too risky, the errors above it are binomial at that risk. Where it does not, the next threshold that is too
risky is where R(t) rises through max_risk, since R is continuous where ties are told apart; errors among all answers
above it are then binomial at exactly max_risk, wherever the start was. Each start thus spends no more than its share.

Geifman and El-Yaniv's SGR (NeurIPS 2017) bounds the same risk with a union bound over the thresholds that its search
visits, about log2(n) of them: at n = 1000 each is tested at delta / 10, and fewer questions are answered. Nothing here
assumes that more confidence means fewer errors; where it does not, fewer questions are answered, not more wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.tally import BoolArray, FloatArray
from prompt4trust.selection.bounds import upper_bound
from prompt4trust.selection.ranking import level_of


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
    """Thresholds for any accepted risk, from the tested rows and a start that their outcomes had no part in.

    Args:
        scores: Selection scores of the tested answers; shape [n].
        wrong: Whether each is wrong; shape [n].
        start: The strictest threshold, where testing begins; or the numbers of accepted answers, ascending and at least
            1, at each of which a sequence begins (those above n are left out).
        delta: Probability with which a promise may fail over the draw of the tested rows, in (0, 1).

    Raises:
        ValueError: If the shapes differ, delta is out of range or the numbers are not as described.

    Example:
        >>> scores = [9000.0] * 300 + [6000.0] * 100  # answers stated at 0.9 and at 0.6
        >>> wrong = [True] * 6 + [False] * 294 + [True] * 40 + [False] * 60
        >>> rule = RiskRule(scores, wrong, start=9000.0, delta=0.05)
        >>> limit = rule.at(max_risk=0.05)
        >>> limit.confidence, limit.accepted, limit.errors, round(limit.bound, 3)
        (0.9, 300, 6, 0.039)
        >>> rule.at(max_risk=0.01) is None
        True
        >>> apart = [score + place / 400 for place, score in enumerate(scores)]  # ties told apart
        >>> limit = RiskRule(apart, wrong, start=[50, 100, 200], delta=0.05).at(max_risk=0.05)
        >>> limit.confidence, limit.accepted, round(limit.bound, 3)  # and 64 of those stated at 0.6
        (0.6, 364, 0.048)
    """

    def __init__(self, scores: npt.ArrayLike, wrong: npt.ArrayLike, start: float | Sequence[int], delta: float) -> None:
        found, errors = np.asarray(scores, dtype=np.float64), np.asarray(wrong, dtype=np.bool_)
        if found.ndim != 1 or found.shape != errors.shape:
            raise ValueError("scores and wrong must be one-dimensional and of the same length")
        self.delta = delta
        self._begins = frozenset[int]()
        if isinstance(start, Sequence):
            self._limits, self._accepted, self._errors = counted(found, errors)
            begins = _begins(self._accepted, start)
            self._begins = frozenset(begins)
            proved = _of_chains(self._errors, self._accepted, begins, len(start), delta)
        else:
            self._limits, self._accepted, self._errors = counted(found, errors, start)
            # A threshold is reached only if all stricter ones were passed: the worst bound so far counts.
            proved = np.maximum.accumulate(upper_bound(self._errors, self._accepted, delta))
        # What is proved for a laxer threshold is no worse for all risks: the laxest one that is proved is taken.
        self._bounds = np.minimum.accumulate(proved[::-1])[::-1]

    @property
    def least_risk(self) -> float:
        """The smallest accepted risk for which anything is answered."""
        return float(self._bounds[0]) if len(self._bounds) else 1.0

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
        elif passed - 1 in self._begins:
            # Of a start by number, what is proved is the laxest threshold that accepts so many: just above the next.
            score = float(np.nextafter(self._limits[passed], np.inf))
        elif np.floor(score) > self._limits[passed]:
            score = float(np.floor(score))
        return Limit(
            score, int(self._accepted[passed - 1]), int(self._errors[passed - 1]), float(self._bounds[passed - 1])
        )


def _begins(accepted: FloatArray, counts: Sequence[int]) -> list[int]:
    """Find the threshold of each start: the strictest one that accepts so many."""
    if not counts or counts[0] < 1 or any(one >= other for one, other in pairwise(counts)):
        raise ValueError(f"starts must be numbers of answers, at least 1 and ascending, not {list(counts)}")
    places = np.searchsorted(accepted, counts)
    return [int(place) for place in places if place < len(accepted)]


def _of_chains(
    errors: FloatArray, accepted: FloatArray, begins: Sequence[int], shares: int, delta: float
) -> FloatArray:
    """Bound the error rate at each threshold by the best of the sequences that reach it; 1 where none does.

    The sequence of a start is tested at that start's share of delta, and from each further start that it comes to at
    that one's share more. It has come to a threshold where the worst bound so far keeps to the accepted risk.
    """
    proved = np.ones(len(errors))
    ends = [*begins[1:], len(errors)]
    for first, begin in enumerate(begins):
        parts = [
            upper_bound(errors[low:high], accepted[low:high], delta * (taken + 1) / shares)
            for taken, (low, high) in enumerate(zip(begins[first:], ends[first:], strict=True))
        ]
        proved[begin:] = np.minimum(proved[begin:], np.maximum.accumulate(np.concatenate(parts)))
    return proved


def counted(
    scores: FloatArray, wrong: BoolArray, start: float | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """List the thresholds, from the start down or all that were seen, with the rows and errors at or above each."""
    order = np.argsort(-scores, kind="stable")
    ranked, errors = scores[order], np.cumsum(wrong[order])
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))  # the last row of each distinct score
    if start is None:
        return ranked[last], (last + 1).astype(np.float64), errors[last].astype(np.float64)
    below = last[ranked[last] < start] if len(ranked) else last
    above = int(np.count_nonzero(scores >= start))
    limits = np.concatenate(([start], ranked[below]))
    accepted = np.concatenate(([above], below + 1)).astype(np.float64)
    mistakes = np.concatenate(([errors[above - 1] if above else 0], errors[below])).astype(np.float64)
    return limits, accepted, mistakes
