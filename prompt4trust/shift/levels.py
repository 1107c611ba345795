"""Levels of held-out scores: p-values from how many lie beyond a few edges, with no score of a single input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import numpy.typing as npt

GROUP: Final = 8
"""Held-out inputs that lie between two edges, at least: fewer would tell of single ones. Of 2 000, eight are what may
lie beyond a limit of 0.99 where there are two parts."""
_DIGITS: Final = 3
_MOST_DIGITS: Final = 15

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Levels:
    """Edges among the scores of held-out inputs, and how many of these reach each.

    Attributes:
        edges: Ascending scores.
        reaching: For each edge the held-out inputs whose score is at least as large, descending; the last one is 0.
        n: Held-out inputs, at least 1.

    Example:
        >>> levels = Levels.of(np.arange(1.0, 21.0), group=5)
        >>> levels.edges, levels.reaching
        ((5.01, 10.1, 15.1, 20.1), (15, 10, 5, 0))
        >>> levels.p_values(np.array([1.0, 12.0, 99.0])).round(3).tolist()
        [1.0, 0.524, 0.048]
    """

    edges: tuple[float, ...]
    reaching: tuple[int, ...]
    n: int
    # As numpy wants them: to make these anew of thousands of edges took longer than all else of a comparison.
    _edges: Floats = field(init=False, repr=False, compare=False)
    _p_values: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_edges", np.array(self.edges, dtype=np.float64))
        reached = np.array([self.n, *self.reaching], dtype=np.float64)
        object.__setattr__(self, "_p_values", (1 + reached) / (self.n + 1))

    @classmethod
    def of(cls, scores: npt.ArrayLike, group: int = GROUP) -> Self:
        """Make the levels of scores.

        Args:
            scores: Of held-out inputs, in any order; shape [n], n >= 1.
            group: Inputs between two edges, and below the first, at least; 1 keeps apart all that differ, with edges
                right above them, so that p-values are those among all scores.

        Raises:
            ValueError: If there is no score.
        """
        ordered = np.sort(np.asarray(scores, dtype=np.float64))
        n = len(ordered)
        if n == 0:
            raise ValueError("a p-value needs at least one reference score")
        edge_above = between if group > 1 else _next
        edges, reaching = [edge_above(float(ordered[-1]), math.inf)], [0]
        place = n - group
        while place >= group:
            # Equal scores lie on one side of an edge.
            place = int(np.searchsorted(ordered, ordered[place], side="left"))
            if place < group:
                break
            edges.append(edge_above(float(ordered[place - 1]), float(ordered[place])))
            reaching.append(n - place)
            place -= group
        return cls(tuple(reversed(edges)), tuple(reversed(reaching)), n)

    def p_values(self, scores: Floats) -> Floats:
        """Compute (1 + held-out inputs that reach the highest edge that a score reaches) / (n + 1), 1 below all edges.

        No fewer reach that edge than the score itself, so the p-value is never less than one among all scores, and
        valid as that is (see `conformal_p_values`).

        Args:
            scores: Of new inputs; shape [m].

        Returns:
            p-values in [1 / (n + 1), 1]; shape [m].
        """
        return np.asarray(self._p_values[self._edges.searchsorted(scores, side="right")])


def between(below: float, reached: float) -> float:
    """Find the shortest number above one and not above another."""
    size = math.floor(math.log10(abs(below))) if below else 0
    for digits in range(_DIGITS, _MOST_DIGITS):
        scale = 10.0 ** (digits - 1 - size)
        for more in (1, 2):  # a product may have been rounded down to a whole number less
            edge = (math.floor(below * scale) + more) / scale
            if below < edge <= reached:
                return edge
    return reached


def _next(below: float, _: float) -> float:
    """Find the very next number above one."""
    return math.nextafter(below, math.inf)
