"""Made-up populations of answers whose share of wrong ones is known at every threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PER_CENTS = np.arange(100, -1, -1) / 100
"""Confidences that are stated, from the highest down; shape [101]."""


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Answers, by their rank: the share of answers that are more confident, ties being told apart by chance.

    Attributes:
        mass: Share of answers at each of `PER_CENTS`; sums to 1; shape [101].
        wrong: Chance that such an answer is wrong; shape [101].
    """

    mass: Floats
    wrong: Floats

    @property
    def ends(self) -> Floats:
        """Rank of the last answer of each confidence; shape [101]."""
        return np.minimum(np.cumsum(self.mass), 1.0)

    def draw(self, random: np.random.Generator, sets: int, n: int) -> tuple[Floats, Bools]:
        """Draw sets of answers; their ranks, ascending, and whether each is wrong; shape [sets, n] each."""
        rank = np.sort(random.random((sets, n)), axis=1)
        level = np.minimum(np.searchsorted(self.ends, rank), len(self.wrong) - 1)
        return rank, random.random((sets, n)) < self.wrong[level]

    def risk(self, rank: Floats) -> Floats:
        """Compute the share of wrong ones among all answers up to a rank; 0 for none; any shape."""
        edges = np.concatenate(([0.0], self.ends))
        errors = np.concatenate(([0.0], np.cumsum(self.mass * self.wrong)))
        return np.asarray(np.interp(rank, edges, errors) / np.maximum(rank, 1e-12))

    def most(self, max_risk: float) -> float:
        """Compute the largest rank up to which the share of wrong ones is at most max_risk, to 0.0001."""
        ranks = np.arange(1, 10_001) / 10_000
        kept = np.flatnonzero(self.risk(ranks) <= max_risk)
        return float(ranks[kept[-1]]) if len(kept) else 0.0


def _stated(a: float, b: float) -> Floats:
    mass = beta.pdf(np.clip(PER_CENTS, 0.005, 0.995), a, b)
    return np.asarray(mass / mass.sum())


def _few(levels: Mapping[float, tuple[float, float]]) -> Population:
    mass, wrong = np.zeros(101), np.ones(101)
    for confidence, (share, error) in levels.items():
        place = 100 - round(100 * confidence)
        mass[place], wrong[place] = share, error
    return Population(mass, wrong)


POPULATIONS: Mapping[str, Population] = MappingProxyType(
    {
        "calibrated, mostly sure": Population(_stated(5, 1.5), 1 - PER_CENTS),
        "calibrated, hardly ever sure": Population(_stated(2, 2), 1 - PER_CENTS),
        "overconfident": Population(_stated(6, 1.2), 0.04 + 0.94 * (1 - PER_CENTS)),
        "seven confidences": _few(
            {
                1.0: (0.08, 0.02),
                0.95: (0.22, 0.04),
                0.9: (0.25, 0.1),
                0.85: (0.18, 0.2),
                0.8: (0.15, 0.35),
                0.7: (0.08, 0.5),
                0.5: (0.04, 0.6),
            }
        ),
        "surest are worse": Population(_stated(5, 1.5), np.where(PER_CENTS > 0.96, 0.09, 1 - PER_CENTS)),
        "sharp, mostly right": Population(_stated(1.2, 0.35), 0.01 + 0.5 * (1 - PER_CENTS)),
        "sharp, often wrong": Population(_stated(0.7, 0.5), 0.02 + 0.7 * (1 - PER_CENTS)),
    }
)
"""Name -> population."""
