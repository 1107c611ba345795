"""Levels of held-out scores as the parts of a reference's file hold them."""

from __future__ import annotations

import base64
import binascii
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from prompt4trust.shift.levels import Levels

Score = Annotated[float, Field(ge=0)]


class LevelsPart(BaseModel):
    """Levels of held-out scores; see `Levels`.

    Attributes:
        n: Held-out inputs.
        edges: Ascending scores.
        reaching: For each edge the inputs whose score is at least as large, descending to 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n: int = Field(ge=1)
    edges: list[Score] = Field(min_length=1)
    reaching: list[Annotated[int, Field(ge=0)]]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        counts = [self.n, *self.reaching]
        if len(self.edges) != len(self.reaching) or self.reaching[-1]:
            raise ValueError("there must be a count for each edge, the last one 0")
        if any(one >= other for one, other in pairwise(self.edges)):
            raise ValueError("edges must ascend")
        if any(one < other for one, other in pairwise(counts)):
            raise ValueError("counts must descend from n")
        return self

    @classmethod
    def of(cls, levels: Levels) -> Self:
        """Make the file's levels."""
        return cls(n=levels.n, edges=list(levels.edges), reaching=list(levels.reaching))

    def levels(self) -> Levels:
        """Prepare them for use."""
        return Levels(tuple(self.edges), tuple(self.reaching), self.n)


class StoredLevels(BaseModel):
    """A part of a reference with its levels."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    levels: LevelsPart | None = None
    """How many of the held-out inputs reach some scores."""
    scores: list[Score] | None = Field(default=None, min_length=1)
    """In files of earlier formats the scores of all of them, ascending."""

    @field_validator("scores")
    @classmethod
    def _ascending(cls, scores: list[float] | None) -> list[float] | None:
        if any(one > other for one, other in pairwise(scores or ())):
            raise ValueError("scores must ascend")
        return scores

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.levels is None) == (self.scores is None):
            raise ValueError("a part has either levels or scores")
        return self

    @property
    def compared(self) -> Levels:
        """The levels of the held-out inputs."""
        return Levels.of(self.scores or (), group=1) if self.levels is None else self.levels.levels()


def decoded(text: str, name: str) -> bytes:
    """Decode base64; ValueError with the field's name where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{name} is not base64") from error
