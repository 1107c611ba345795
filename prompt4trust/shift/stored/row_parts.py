"""Parts of a reference's file that describe single questions and pictures, for data that anybody may have."""

from __future__ import annotations

import base64
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from prompt4trust.shift.measures.neighbours import NumberNeighbours, WordNeighbours
from prompt4trust.shift.measures.new_words import NewWordNeighbours
from prompt4trust.shift.reference import PartReference
from prompt4trust.shift.stored.stored_levels import LevelsPart, StoredLevels, decoded
from prompt4trust.shift.words import BUCKETS, Words

Bucket = Annotated[int, Field(ge=0, lt=BUCKETS)]


class NumbersPart(StoredLevels):
    """A trait of numbers; see `NumberNeighbours`.

    Attributes:
        kind: Always "numbers".
        levels, scores: Of the held-out inputs; one of both.
        centre: One a number.
        spread: One a number, above 0.
        rows: Number of reference rows.
        steps: These rows in base64: signed bytes, row after row.
    """

    kind: Literal["numbers"] = "numbers"
    centre: list[float] = Field(min_length=1)
    spread: list[Annotated[float, Field(gt=0)]]
    rows: int = Field(ge=2)
    steps: str

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.spread) != len(self.centre):
            raise ValueError("centre and spread must have the same length")
        self.table()
        return self

    def table(self) -> npt.NDArray[np.int8]:
        """Decode the rows; shape [rows, d].

        Raises:
            ValueError: If they are not so many bytes.
        """
        held = decoded(self.steps, "steps")
        if len(held) != self.rows * len(self.centre):
            raise ValueError(f"steps must hold {self.rows} rows of {len(self.centre)} bytes, not {len(held)} bytes")
        return np.frombuffer(held, dtype=np.int8).reshape(self.rows, len(self.centre))

    @classmethod
    def of(cls, part: PartReference, neighbours: NumberNeighbours) -> Self:
        """Make the file's part from what was fitted."""
        return cls(
            levels=LevelsPart.of(part.levels),
            centre=neighbours.centre.tolist(),
            spread=neighbours.spread.tolist(),
            rows=len(neighbours.rows),
            steps=base64.b64encode(neighbours.rows.tobytes()).decode("ascii"),
        )

    def reference(self) -> PartReference:
        """Prepare the distances for use."""
        neighbours = NumberNeighbours(np.array(self.centre), np.array(self.spread), self.table())
        return PartReference(neighbours, self.compared)


class WordsPart(StoredLevels):
    """A trait of words; see `WordNeighbours`.

    Attributes:
        kind: Always "words".
        levels, scores: Of the held-out inputs; one of both.
        measure: What the distances are: "likeness" (`WordNeighbours`), or "new-words" too (`NewWordNeighbours`).
        rows: The words of each different reference question, and those of its options, as numbers.
    """

    kind: Literal["words"] = "words"
    measure: Literal["likeness", "new-words"] = "likeness"
    rows: list[tuple[list[Bucket], list[Bucket]]] = Field(min_length=1)

    @classmethod
    def of(cls, part: PartReference, neighbours: WordNeighbours) -> Self:
        """Make the file's part from what was fitted."""
        return cls(
            levels=LevelsPart.of(part.levels),
            measure="new-words" if isinstance(neighbours, NewWordNeighbours) else "likeness",
            rows=[(list(row.question), list(row.options)) for row in neighbours.rows],
        )

    def reference(self) -> PartReference:
        """Prepare the distances for use."""
        rows = [Words(tuple(question), tuple(options)) for question, options in self.rows]
        neighbours = NewWordNeighbours(rows) if self.measure == "new-words" else WordNeighbours(rows)
        return PartReference(neighbours, self.compared)
