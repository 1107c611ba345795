"""Reference inputs as a file that a person can read: the inputs, their source, and the distance of each."""

from __future__ import annotations

import base64
import binascii
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from prompt4trust.artifact import JsonArtifact
from prompt4trust.pictures import PicturePreparation
from prompt4trust.shift.descriptor import DESCRIPTORS, Descriptor, get_descriptor
from prompt4trust.shift.neighbours import NumberNeighbours, WordNeighbours
from prompt4trust.shift.new_words import NewWordNeighbours
from prompt4trust.shift.reference import PartReference, Reference
from prompt4trust.shift.words import BUCKETS, Words

NEWEST_FORMAT = 3
"""Format 1 did not record the preparation of pictures: its files are read, and no question is compared with them. Up to
format 2 new words were not counted: its files are read, and questions compared by them as they were."""
_HASH = r"^sha256:[0-9a-f]{64}$"

Hash = Annotated[str, Field(pattern=_HASH)]
Score = Annotated[float, Field(ge=0)]
Bucket = Annotated[int, Field(ge=0, lt=BUCKETS)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scores: list[Score] = Field(min_length=1)
    """Distances of the held-out inputs, ascending."""

    @field_validator("scores")
    @classmethod
    def _ascending(cls, scores: list[float]) -> list[float]:
        if any(one > other for one, other in pairwise(scores)):
            raise ValueError("scores must ascend")
        return scores


class NumbersPart(_Part):
    """A trait of numbers; see `NumberNeighbours`.

    Attributes:
        kind: Always "numbers".
        scores: Distances of the held-out inputs, ascending.
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
        try:
            held = base64.b64decode(self.steps, validate=True)
        except binascii.Error as error:
            raise ValueError("steps is not base64") from error
        if len(held) != self.rows * len(self.centre):
            raise ValueError(f"steps must hold {self.rows} rows of {len(self.centre)} bytes, not {len(held)} bytes")
        return np.frombuffer(held, dtype=np.int8).reshape(self.rows, len(self.centre))

    @classmethod
    def of(cls, part: PartReference, neighbours: NumberNeighbours) -> Self:
        """Make the file's part from what was fitted."""
        return cls(
            scores=part.scores.tolist(),
            centre=neighbours.centre.tolist(),
            spread=neighbours.spread.tolist(),
            rows=len(neighbours.rows),
            steps=base64.b64encode(neighbours.rows.tobytes()).decode("ascii"),
        )

    def reference(self) -> PartReference:
        """Prepare the distances for use."""
        neighbours = NumberNeighbours(np.array(self.centre), np.array(self.spread), self.table())
        return PartReference(neighbours, np.array(self.scores))


class WordsPart(_Part):
    """A trait of words; see `WordNeighbours`.

    Attributes:
        kind: Always "words".
        scores: Distances of the held-out inputs, ascending.
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
            scores=part.scores.tolist(),
            measure="new-words" if isinstance(neighbours, NewWordNeighbours) else "likeness",
            rows=[(list(row.question), list(row.options)) for row in neighbours.rows],
        )

    def reference(self) -> PartReference:
        """Prepare the distances for use."""
        rows = [Words(tuple(question), tuple(options)) for question, options in self.rows]
        neighbours = NewWordNeighbours(rows) if self.measure == "new-words" else WordNeighbours(rows)
        return PartReference(neighbours, np.array(self.scores))


class ReferenceArtifact(JsonArtifact):
    """Reference inputs and where they come from.

    Attributes:
        name: Unique in a registry; also the file's name.
        descriptor: Id of the descriptor, by which questions to be judged must be described too.
        dataset: Name of the data, as calibrators and guards that were made from it have it.
        questions: SHA-256 of what is asked there.
        also: The same of further questions that were drawn in the same way, for which it stands as well.
        answers: Hashes of answers to these very questions that calibrators and guards may have been made from.
        n: Questions that it was made from.
        n_near: Those among them that distances are taken to.
        n_held: The others, which distances are compared with.
        created: When it was made.
        seed: Seed of the division.
        parts: Trait -> reference inputs.
        warnings: Remarks that a person should read before trusting it.
        picture_preparation: What the pictures went through before they were described; None where that was not
            recorded.
        format: Version of the file's format.
    """

    newest_format: ClassVar[int] = NEWEST_FORMAT

    format: int = 1
    name: str = Field(pattern=r"^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$", max_length=128)
    descriptor: str
    dataset: str
    questions: Hash
    also: list[Hash] = Field(default_factory=list)
    answers: list[Hash] = Field(default_factory=list)
    n: int = Field(ge=1)
    n_near: int = Field(ge=2)
    n_held: int = Field(ge=1)
    created: AwareDatetime
    seed: int
    parts: dict[str, Annotated[NumbersPart | WordsPart, Field(discriminator="kind")]] = Field(min_length=1)
    warnings: list[str] = Field(default_factory=list)
    picture_preparation: PicturePreparation | None = None

    @field_validator("descriptor")
    @classmethod
    def _known_descriptor(cls, descriptor: str) -> str:
        get_descriptor(descriptor)
        return descriptor

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if any(len(part.scores) != self.n_held for part in self.parts.values()):
            raise ValueError("every part must have a score for each held-out question")
        tolerances = DESCRIPTORS[self.descriptor].tolerances
        for name, part in self.parts.items():
            if isinstance(part, NumbersPart) and len(part.centre) != len(tolerances.get(name, ())):
                raise ValueError(f"{name!r} is no trait of {self.descriptor} with {len(part.centre)} numbers")
        return self

    def describer(self) -> Descriptor:
        """Find the descriptor."""
        return get_descriptor(self.descriptor)

    def fits(self, preparation: PicturePreparation) -> bool:
        """Whether questions whose pictures went through this preparation may be compared with it: the very same one."""
        return self.picture_preparation == preparation

    def covers(self, dataset: str, data_hash: str, questions: str | None = None) -> int:
        """Rate the evidence that these are the inputs that a calibrator or guard was made from.

        Args:
            dataset: The data's name, by the calibrator or guard.
            data_hash: Its hash of the answers that it was made from.
            questions: Its fingerprint of what was asked; older ones have none.

        Returns:
            2 for the very questions or answers; 1 for data of that name, where nothing more is known; 0 for others.
        """
        if data_hash in self.answers or f"sha256:{questions}" in (self.questions, *self.also):
            return 2
        return int(questions is None and dataset == self.dataset)

    def reference(self) -> Reference:
        """Prepare the judge of questions; takes tens of milliseconds, so keep the result."""
        return Reference({name: part.reference() for name, part in self.parts.items()})
