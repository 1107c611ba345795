"""Parts of a reference's file by which no single question or picture can be recognised: sums over many."""

from __future__ import annotations

import base64
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from prompt4trust.shift.measures.claims import Claims
from prompt4trust.shift.measures.directions import Direction
from prompt4trust.shift.measures.groups import LEAST, PictureGroups
from prompt4trust.shift.measures.word_counts import WordCounts, counts_of, vocabulary_of
from prompt4trust.shift.reference import PartReference
from prompt4trust.shift.stored.stored_levels import LevelsPart, StoredLevels, decoded
from prompt4trust.shift.words import BUCKETS

Above0 = Annotated[float, Field(gt=0)]
WordCount = tuple[Annotated[int, Field(ge=0, lt=BUCKETS)], Annotated[int, Field(ge=1)]]


class GroupsPart(StoredLevels):
    """A trait of numbers, without rows of single inputs; see `PictureGroups`.

    Attributes:
        kind: Always "groups".
        levels, scores: Of the held-out inputs; one of both.
        centre: One a number.
        spread: One a number, above 0.
        sizes: Reference rows of each group.
        centres: The groups' centres, a list each.
        covariance: Their common covariance in base64: the lower triangle, row after row, as 32-bit numbers with the
            smallest byte first.
    """

    kind: Literal["groups"] = "groups"
    centre: list[float] = Field(min_length=1)
    spread: list[Above0]
    sizes: list[Annotated[int, Field(ge=LEAST)]] = Field(min_length=1)
    centres: list[list[float]]
    covariance: str

    @model_validator(mode="after")
    def _fits_groups(self) -> Self:
        width = len(self.centre)
        if len(self.spread) != width or any(len(each) != width for each in self.centres):
            raise ValueError("centre, spread and the groups' centres must have the same length")
        if len(self.centres) != len(self.sizes):
            raise ValueError("there must be a size for each group")
        self.groups()
        return self

    def groups(self) -> PictureGroups:
        """Prepare the groups for use.

        Raises:
            ValueError: If the covariance is none.
        """
        width = len(self.centre)
        below = np.tril_indices(width)
        content = decoded(self.covariance, "covariance")
        held = np.frombuffer(content[: len(content) // 4 * 4], dtype="<f4")
        if len(content) != 4 * len(below[0]) or not np.isfinite(held).all():
            raise ValueError(f"covariance must hold the lower triangle of {width} x {width} numbers")
        covariance = np.zeros((width, width))
        covariance[below] = held
        covariance.T[below] = held
        try:
            return PictureGroups(
                np.array(self.centre), np.array(self.spread), np.array(self.centres), covariance, tuple(self.sizes)
            )
        except np.linalg.LinAlgError as error:
            raise ValueError("covariance is not positive definite") from error

    @classmethod
    def of(cls, part: PartReference, groups: PictureGroups) -> Self:
        """Make the file's part from what was fitted."""
        below = groups.covariance[np.tril_indices(len(groups.centre))].astype("<f4")
        return cls(
            levels=LevelsPart.of(part.levels),
            centre=groups.centre.tolist(),
            spread=groups.spread.tolist(),
            sizes=list(groups.sizes),
            centres=groups.centres.tolist(),
            covariance=base64.b64encode(below.tobytes()).decode("ascii"),
        )

    def reference(self) -> PartReference:
        """Prepare the distances for use."""
        return PartReference(self.groups(), self.compared)


class VocabularyPart(StoredLevels):
    """A trait of words, without single questions; see `WordCounts`.

    Attributes:
        kind: Always "vocabulary".
        levels, scores: Of the held-out inputs; one of both.
        n: Different reference questions.
        least: What each count is at least, and stands for if it is that.
        units: What rarity, new words of the question and new words of the options are divided by.
        question: Word or pair of neighbouring words, as a number, and how many reference questions have it.
        options: The same of the options' words.
    """

    kind: Literal["vocabulary"] = "vocabulary"
    n: int = Field(ge=1)
    least: int = Field(default=1, ge=1)
    units: tuple[Above0, Above0, Above0]
    question: list[WordCount]
    options: list[WordCount]

    @model_validator(mode="after")
    def _fits_words(self) -> Self:
        if any(count > max(self.n, self.least) for _, count in (*self.question, *self.options)):
            raise ValueError("a word cannot be in more questions than there are")
        if any(count < self.least for _, count in (*self.question, *self.options)):
            raise ValueError(f"a word that fewer than {self.least} have must not be kept")
        return self

    @classmethod
    def of(cls, part: PartReference, words: WordCounts) -> Self:
        """Make the file's part from what was fitted."""
        question, options = (vocabulary_of(each, words.least) for each in words.counts)
        rarity, new, new_options = words.units.tolist()
        return cls(
            levels=LevelsPart.of(part.levels),
            n=words.n,
            least=words.least,
            units=(rarity, new, new_options),
            question=question,
            options=options,
        )

    def reference(self) -> PartReference:
        """Prepare the distances for use."""
        question, options = (counts_of(each) for each in (self.question, self.options))
        words = WordCounts(question, options, self.n, np.array(self.units), self.least)
        return PartReference(words, self.compared)


class DirectionPart(StoredLevels):
    """A direction in a trait of numbers; see `Direction`.

    Attributes:
        kind: Always "direction".
        levels, scores: Of the held-out inputs; one of both.
        trait: Name of the trait.
        centre: One a number.
        spread: One a number, above 0.
        weights: One a number.
        bias: Added to the weighed sum.
    """

    kind: Literal["direction"] = "direction"
    trait: str
    centre: list[float] = Field(min_length=1)
    spread: list[Above0]
    weights: list[float]
    bias: float

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not len(self.centre) == len(self.spread) == len(self.weights):
            raise ValueError("centre, spread and weights must have the same length")
        if not any(self.weights):
            raise ValueError("a direction whose weights are all 0 says nothing of any picture")
        return self

    @classmethod
    def of(cls, part: PartReference, direction: Direction) -> Self:
        """Make the file's part from what was fitted."""
        return cls(
            levels=LevelsPart.of(part.levels),
            trait=part.trait or "",
            centre=direction.centre.tolist(),
            spread=direction.spread.tolist(),
            weights=direction.weights.tolist(),
            bias=direction.bias,
        )

    def reference(self) -> PartReference:
        """Prepare the direction for use."""
        direction = Direction(np.array(self.centre), np.array(self.spread), np.array(self.weights), self.bias)
        return PartReference(direction, self.compared, self.trait)


class ClaimsPart(BaseModel):
    """Answers that a picture may speak against, and what it looks like where each is right; see `Claims`.

    Attributes:
        trait: Name of the trait of numbers that is looked at.
        answers: The known answers.
        question: Words and pairs of the questions that were learned from, as numbers; in files of format 6 none, so
            that they are held against no answer.
        centre: One a number.
        spread: One a number, above 0.
        weights: One a number, a list an answer.
        biases: One an answer.
        edge: From which on a picture speaks against an answer.
        reaching: Held-out pictures that reach it against their right answers.
        n: Held-out pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    trait: str
    answers: list[str] = Field(min_length=2)
    question: list[Annotated[int, Field(ge=0, lt=BUCKETS)]] = Field(default_factory=list)
    centre: list[float] = Field(min_length=1)
    spread: list[Above0]
    weights: list[list[float]]
    biases: list[float]
    edge: Above0
    reaching: int = Field(ge=0)
    n: int = Field(ge=1)

    @model_validator(mode="after")
    def _fits_claims(self) -> Self:
        if any(len(each) != len(self.centre) for each in (self.spread, *self.weights)):
            raise ValueError("centre, spread and weights must have the same length")
        if not len(set(self.answers)) == len(self.weights) == len(self.biases) == len(self.answers):
            raise ValueError("there must be weights and a bias for each answer, and each answer once")
        return self

    @classmethod
    def of(cls, trait: str, claims: Claims) -> Self:
        """Make the file's part from what was fitted."""
        return cls(
            trait=trait,
            answers=list(claims.answers),
            question=sorted(claims.question),
            centre=claims.centre.tolist(),
            spread=claims.spread.tolist(),
            weights=claims.weights.tolist(),
            biases=claims.biases.tolist(),
            edge=claims.edge,
            reaching=claims.reaching,
            n=claims.n,
        )

    def claims(self) -> Claims:
        """Prepare the discriminant for use."""
        centre, spread, weights, biases = (
            np.array(each, dtype=np.float64) for each in (self.centre, self.spread, self.weights, self.biases)
        )
        return Claims(
            tuple(self.answers),
            centre,
            spread,
            weights,
            biases,
            edge=self.edge,
            reaching=self.reaching,
            n=self.n,
            question=frozenset(self.question),
        )
