"""Reference inputs, and the atypicality of a question among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompt4trust.shift.conformal import bonferroni, conformal_p_values
from prompt4trust.shift.descriptor import Described, Trait
from prompt4trust.shift.neighbours import NumberNeighbours, WordNeighbours
from prompt4trust.shift.words import Words

Floats = npt.NDArray[np.float64]

LIMIT = 0.99
"""Atypicality from which on a question counts as unlike the reference, where nobody says otherwise."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Judgement:
    """The atypicality of one question among the reference inputs.

    Attributes:
        atypicality: 1 - conformal p-value, in [0, 1): near the share of reference inputs that are less unusual. Of
            questions drawn as these were, at most a share a has 1 - a or more.
        parts: The same by trait, each for itself.
        n: Reference inputs that it was compared with.
    """

    atypicality: float
    parts: Mapping[str, float]
    n: int

    def beyond(self, limit: float) -> bool:
        """Whether the limit is reached; at 1 it never is."""
        return reached(self.atypicality, limit)

    @property
    def most(self) -> str:
        """The trait that is most unusual."""
        return max(self.parts, key=lambda part: self.parts[part])


@dataclass(frozen=True, slots=True)
class PartReference:
    """Reference inputs' side of one trait.

    Attributes:
        neighbours: The reference inputs that distances are taken to.
        scores: Distances of the held-out reference inputs, ascending; shape [n].
    """

    neighbours: NumberNeighbours | WordNeighbours
    scores: Floats

    def measure(self, traits: Sequence[Trait]) -> Floats:
        """Take the distances of questions; shape [m].

        Raises:
            ValueError: If a trait is of another kind.
        """
        words = [trait for trait in traits if isinstance(trait, Words)]
        if isinstance(self.neighbours, WordNeighbours):
            if len(words) < len(traits):
                raise ValueError("words cannot be compared with numbers")
            return self.neighbours.scores(words)
        if words:
            raise ValueError("words cannot be compared with numbers")
        return self.neighbours.scores(np.array(traits, dtype=np.float64))


class Reference:
    """Judges questions by reference inputs.

    Args:
        parts: Trait -> its reference; at least one, all of the same held-out inputs.
    """

    def __init__(self, parts: Mapping[str, PartReference]) -> None:
        self.parts = dict(parts)

    @property
    def n(self) -> int:
        """Held-out inputs that p-values are counted among."""
        return len(next(iter(self.parts.values())).scores)

    @property
    def compared(self) -> int:
        """Reference inputs that a question's distances are taken to, of the trait that has most: its cost."""
        return max(len(part.neighbours.rows) for part in self.parts.values())

    @property
    def finest(self) -> float:
        """The largest atypicality that so few reference inputs can show."""
        return 1 - min(1.0, len(self.parts) / (self.n + 1))

    def judge(self, described: Described) -> Judgement:
        """Judge one question.

        Raises:
            ValueError: If it lacks one of the reference's traits.
        """
        judged, parts = self.judge_all([described])
        return Judgement(float(judged[0]), {name: float(each[0]) for name, each in parts.items()}, self.n)

    def judge_all(self, described: Sequence[Described]) -> tuple[Floats, dict[str, Floats]]:
        """Judge questions.

        Args:
            described: Questions with the reference's traits, others being of no account; m of them.

        Returns:
            The atypicality of each; shape [m]; and the same by trait, each for itself.

        Raises:
            ValueError: If one lacks a trait.
        """
        for name in self.parts:
            if any(name not in each.traits for each in described):
                raise ValueError(f"a question without {name!r} cannot be compared with these reference inputs")
        p_values = {
            name: conformal_p_values(part.measure([each.traits[name] for each in described]), part.scores)
            for name, part in self.parts.items()
        }
        return 1 - bonferroni(p_values.values()), {name: 1 - each for name, each in p_values.items()}


def reached(atypicality: npt.ArrayLike, limit: float) -> bool:
    """Compare an atypicality with a limit, forgiving the last digit.

    Example:
        >>> reached(0.99, 0.99), reached(0.98, 0.99)
        (True, False)
    """
    return bool(np.asarray(atypicality) >= limit - _ROUNDING)
