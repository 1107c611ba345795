"""Reference inputs, and the atypicality of a question among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompt4trust.shift.conformal import bonferroni
from prompt4trust.shift.descriptor import Described, Trait
from prompt4trust.shift.levels import Levels
from prompt4trust.shift.measures.claims import Claims
from prompt4trust.shift.measures.directions import Direction
from prompt4trust.shift.measures.groups import PictureGroups
from prompt4trust.shift.measures.neighbours import NumberNeighbours, WordNeighbours
from prompt4trust.shift.measures.word_counts import WordCounts
from prompt4trust.shift.words import Words, wording

Floats = npt.NDArray[np.float64]

MeasuredBy = NumberNeighbours | PictureGroups | WordNeighbours | WordCounts | Direction
"""Ways to score one part."""

LIMIT = 0.99
"""Atypicality from which on a question counts as unlike the reference, where nobody says otherwise."""
_ROUNDING = 1e-9
_CALL, _STEPS, _WORD = 50, 300, 5
"""Microseconds that a part costs at least, multiplications that cost one more, and microseconds of a word that is
looked up by itself: rather too many than too few."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The atypicality of one question among the reference inputs.

    Attributes:
        atypicality: 1 - conformal p-value, in [0, 1): near the share of reference inputs that are less unusual. Of
            questions drawn as these were, at most a share a has 1 - a or more.
        parts: The same by trait, each for itself.
        counts: Reference inputs that it was compared with, by trait: different pictures, or questions.
    """

    atypicality: float
    parts: Mapping[str, float]
    counts: Mapping[str, int]

    def beyond(self, limit: float) -> bool:
        """Whether the limit is reached; at 1 it never is."""
        return reached(self.atypicality, limit)

    @property
    def most(self) -> str:
        """The trait that is most unusual."""
        return max(self.parts, key=lambda part: self.parts[part])

    @property
    def n(self) -> int:
        """Reference inputs that the most unusual trait was compared with."""
        return self.counts[self.most]


@dataclass(frozen=True, slots=True)
class PartReference:
    """Reference inputs' side of one trait, or of one way to look at it.

    Attributes:
        measured_by: The reference inputs that distances are taken to, what was summed up of them, or a direction.
        levels: How large the scores of the held-out reference inputs are.
        trait: Name of the trait, where the part has another.
    """

    measured_by: MeasuredBy
    levels: Levels
    trait: str | None = None

    def cost(self, trait: Trait) -> int:
        """Estimate what it takes to score one question, in microseconds: a fixed part, and one that grows.

        Args:
            trait: What is scored: long texts cost more.
        """
        size = len(trait.question) + len(trait.options) if isinstance(trait, Words) else len(trait)
        match self.measured_by:
            case NumberNeighbours() as neighbours:
                work = len(neighbours.rows) * size // _STEPS
            case WordNeighbours() as neighbours:
                work = len(neighbours.rows) // 2 + size * _WORD
            case PictureGroups() as groups:
                work = (len(groups.centres) + size) * size // _STEPS
            case WordCounts():
                work = size
            case Direction():
                work = size // _STEPS
        return _CALL + work

    def measure(self, traits: Sequence[Trait]) -> Floats:
        """Score questions; shape [m].

        Raises:
            ValueError: If a trait is of another kind.
        """
        words = [trait for trait in traits if isinstance(trait, Words)]
        if isinstance(self.measured_by, WordNeighbours | WordCounts):
            if len(words) < len(traits):
                raise ValueError("words cannot be compared with numbers")
            return self.measured_by.scores(words)
        if words:
            raise ValueError("words cannot be compared with numbers")
        return self.measured_by.scores(np.array(traits, dtype=np.float64))


class Reference:
    """Judges questions by reference inputs.

    Args:
        parts: Name -> a trait's reference; at least one. The name is the trait's where the part does not name one.
        claims: A trait of numbers, and what it says of answers; None where nothing is known of these.
    """

    def __init__(self, parts: Mapping[str, PartReference], claims: tuple[str, Claims] | None = None) -> None:
        self.parts = dict(parts)
        self.claims = claims

    @property
    def counts(self) -> dict[str, int]:
        """Held-out inputs that p-values are counted among, by part."""
        return {name: part.levels.n for name, part in self.parts.items()}

    def compares(self, described: Described) -> bool:
        """Whether a question has all traits that its parts compare."""
        return all((part.trait or name) in described.traits for name, part in self.parts.items())

    def cost(self, described: Described) -> int:
        """Estimate what it takes to judge one question, in microseconds of one processor; unknown traits cost nothing.

        Args:
            described: The question.
        """
        traits = [(part, described.traits.get(part.trait or name)) for name, part in self.parts.items()]
        return sum(part.cost(trait) for part, trait in traits if trait is not None)

    @property
    def finest(self) -> float:
        """The largest atypicality that each of its parts can show: the one with the fewest inputs shows no more."""
        return 1 - min(1.0, len(self.parts) / (min(self.counts.values()) + 1))

    def reaches(self, limit: float) -> bool:
        """Whether each of its parts can reach a limit by itself; if not, it cannot say that nothing is unusual."""
        return reached(self.finest, limit)

    def against(self, described: Described, answer: str, options: Iterable[str]) -> str | None:
        """Name the answer that a question's picture speaks for, where it speaks against another one (see `Claims`).

        Args:
            described: The question.
            answer: Text of the answer that was given.
            options: Texts of the answers that could be chosen.

        Returns:
            The known answer that it speaks for; None where it speaks against nothing, or the question is another than
            those that answers were learned from (see `Claims.asks_that`).
        """
        if self.claims is None:
            return None
        trait, claims = self.claims
        row = described.traits.get(trait)
        if row is None or isinstance(row, Words):
            return None
        asked = [each for each in described.traits.values() if isinstance(each, Words)]
        said = [wording(option) for option in options]
        if not any(claims.asks_that(words.question, said) for words in asked):
            return None
        return claims.against(row, wording(answer))

    def judge(self, described: Described) -> Judgement:
        """Judge one question.

        Raises:
            ValueError: If it lacks one of the reference's traits.
        """
        judged, parts = self.judge_all([described])
        return Judgement(float(judged[0]), {name: float(each[0]) for name, each in parts.items()}, self.counts)

    def judge_all(self, described: Sequence[Described]) -> tuple[Floats, dict[str, Floats]]:
        """Judge questions.

        Args:
            described: Questions with the reference's traits, others being of no account; m of them.

        Returns:
            The atypicality of each; shape [m]; and the same by part, each for itself.

        Raises:
            ValueError: If one lacks a trait.
        """
        traits = {name: part.trait or name for name, part in self.parts.items()}
        for name in traits.values():
            if any(name not in each.traits for each in described):
                raise ValueError(f"a question without {name!r} cannot be compared with these reference inputs")
        p_values = {
            name: part.levels.p_values(part.measure([each.traits[traits[name]] for each in described]))
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
