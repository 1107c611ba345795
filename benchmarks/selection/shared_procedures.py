"""Ways to find a threshold where several answers are about one picture: the product's and others'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from benchmarks.selection.populations import Bools, Floats
from prompt4trust.selection import start_counts
from prompt4trust.selection.starts import start_counts_apart

Ints = npt.NDArray[np.int64]

DRAWS = 20
"""Draws of one question a picture that are averaged."""
BETS = (0.2, 0.4, 0.7, 0.98)
"""Parts of the largest bet that never loses more than there is; the capital is divided among them."""


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """Checked answers, from the surest down.

    Attributes:
        rank: Share of the population's answers that are surer; ascending; shape [n].
        wrong: Whether each is wrong; shape [n].
        picture: Number of the picture that each is about; shape [n].
        pictures: Number of pictures.
    """

    rank: Floats
    wrong: Bools
    picture: Ints
    pictures: int

    @property
    def most(self) -> int:
        """Questions about the picture with most of them."""
        return int(np.bincount(self.picture).max())

    def orders(self, random: np.random.Generator) -> Ints:
        """Order the questions about each picture by chance, from 0; shape [n]."""
        return self._numbered(np.lexsort((random.random(len(self.rank)), self.picture)))

    def above(self) -> tuple[Ints, Ints]:
        """Count the surer answers about the same picture, and the wrong ones among them; shape [n] each."""
        order = np.argsort(self.picture, kind="stable")
        own = self.picture[order]
        errors: Ints = np.cumsum(self.wrong[order], dtype=np.int64) - self.wrong[order]
        begins = np.flatnonzero(np.diff(own, prepend=-1))
        before = np.empty(len(own), dtype=np.int64)
        before[order] = errors - np.repeat(errors[begins], np.diff(begins, append=len(own)))
        return self._numbered(order), before

    def _numbered(self, order: Ints) -> Ints:
        own = self.picture[order]
        begins = np.flatnonzero(np.diff(own, prepend=-1))
        numbers = np.empty(len(own), dtype=np.int64)
        numbers[order] = np.arange(len(own)) - np.repeat(begins, np.diff(begins, append=len(own)))
        return numbers


Procedure = Callable[[Checked, float, float, np.random.Generator], float]
"""Checked answers, max_risk, delta, chance -> rank down to which is answered, 0 for none."""


def one_by_one(checked: Checked, max_risk: float, delta: float, _random: np.random.Generator) -> float:
    """Take all questions as drawn one by one, as guards of format 4 did."""
    return _binomial(checked.rank, checked.wrong, max_risk, delta, start_counts)


def drawn_apart(checked: Checked, max_risk: float, delta: float, random: np.random.Generator) -> float:
    """Test one question a picture at most, each with the same chance: the product's rule."""
    kept = checked.orders(random) == random.integers(0, checked.most, checked.pictures)[checked.picture]
    return _binomial(checked.rank[kept], checked.wrong[kept], max_risk, delta, start_counts_apart)


def one_of_each(checked: Checked, max_risk: float, delta: float, random: np.random.Generator) -> float:
    """Test one question of every picture, so that pictures count alike and not answers."""
    kept = checked.orders(random) == 0
    return _binomial(checked.rank[kept], checked.wrong[kept], max_risk, delta, start_counts_apart)


def twice_the_mean(checked: Checked, max_risk: float, delta: float, random: np.random.Generator) -> float:
    """Draw as the product does again and again, and test by twice the mean of the p-values (Vovk and Wang 2020)."""
    orders, total = checked.orders(random), np.zeros(len(checked.rank))
    for _ in range(DRAWS):
        kept = orders == random.integers(0, checked.most, checked.pictures)[checked.picture]
        total += _p_values(np.cumsum(kept & checked.wrong), np.cumsum(kept), max_risk)
    return _of_pictures(checked, 2 * total / DRAWS, max_risk, delta)


def bets(checked: Checked, max_risk: float, delta: float, _random: np.random.Generator) -> float:
    """Bet against each picture's wrong - max_risk * accepted answers (Waudby-Smith and Ramdas 2024)."""
    accepted, wrong = checked.above()
    capital = np.zeros(len(accepted))
    for part in BETS:
        stake = part / (checked.most * (1 - max_risk))
        after = np.log1p(-stake * (wrong + checked.wrong - max_risk * (accepted + 1)))
        capital += np.exp(np.minimum(np.cumsum(after - np.log1p(-stake * (wrong - max_risk * accepted))), 50)) / len(
            BETS
        )
    return _of_pictures(checked, np.minimum(1 / capital, 1), max_risk, delta)


PROCEDURES: Mapping[str, Procedure] = MappingProxyType(
    {
        "one a picture at most": drawn_apart,
        "questions one by one": one_by_one,
        "one of every picture": one_of_each,
        "twice the mean of 20 draws": twice_the_mean,
        "bets on pictures": bets,
    }
)
"""Name -> procedure; the first is the product's."""
SLOW = frozenset({"twice the mean of 20 draws", "bets on pictures"})
"""Procedures that are tried on a tenth of the draws. That they keep their promises is proved elsewhere."""


def _binomial(
    rank: Floats, wrong: Bools, max_risk: float, delta: float, starts: Callable[[int], Sequence[int]]
) -> float:
    if len(rank) == 0:
        return 0.0
    p = _p_values(np.cumsum(wrong), np.arange(1, len(rank) + 1), max_risk)
    return _answered(rank, p, starts(len(rank)), delta)


def _of_pictures(checked: Checked, p: Floats, max_risk: float, delta: float) -> float:
    """Answer by p-values of sums over pictures: from as many pictures' worth of answers as are likely to prove it."""
    worth = len(checked.rank) / checked.most
    start = max(1, round(min(5 / max_risk, 0.8 * worth) * checked.most))
    return _answered(checked.rank, p, [start], delta)


def _answered(rank: Floats, p: Floats, starts: Sequence[int], delta: float) -> float:
    """Go down from each start, whose shares of delta add up, as `RiskRule` does."""
    n, reached = len(rank), 0
    begins = [count - 1 for count in starts if count <= n]
    ends = [*begins[1:], n]
    for first in range(len(begins)):
        for taken, (low, high) in enumerate(zip(begins[first:], ends[first:], strict=True)):
            failed = np.flatnonzero(p[low:high] > delta * (taken + 1) / len(starts))
            passed = int(failed[0]) if len(failed) else high - low
            reached = max(reached, low + passed if passed else 0)
            if passed < high - low:
                break
    return 0.0 if reached == 0 else 1.0 if reached == n else float(rank[reached - 1])


def _p_values(errors: Ints, accepted: Ints, max_risk: float) -> Floats:
    """Compute the chance of so few errors at a rate of max_risk; 1 of no answers."""
    return np.asarray(np.where(accepted > 0, bdtr(errors.astype(np.float64), accepted, max_risk), 1.0))
