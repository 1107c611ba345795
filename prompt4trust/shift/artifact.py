"""Reference inputs as a file that a person can read: the inputs, their source, and the distance of each."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from prompt4trust.artifact import JsonArtifact
from prompt4trust.pictures import PicturePreparation
from prompt4trust.shift.descriptor import DESCRIPTORS, RETIRED, Descriptor, get_descriptor
from prompt4trust.shift.measures.word_counts import LEAST_WORDINGS
from prompt4trust.shift.reference import Reference
from prompt4trust.shift.stored.parts import DirectionPart, NumbersPart, StoredPart, VocabularyPart, WordsPart
from prompt4trust.shift.stored.summed_parts import ClaimsPart

NEWEST_FORMAT = 7
"""Format 1 did not record the preparation of pictures: its files are read, and no question is compared with them. Up to
format 2 new words were not counted: its files are read, and questions compared by them as they were. Format 3 has no
directions. Up to format 4 pictures are counted once a question, from 5 on once. Up to format 5 the scores of all
held-out inputs are there, and descriptions of single questions and pictures; from 6 on levels of scores, and such
descriptions only where they were asked for. Format 6 keeps words that a single wording has, and does not know of which
questions answers are known: it is read, and no answer held against a picture by it."""
_FIRST_WITH_DIRECTIONS: Final = 4
_FIRST_WITH_COUNTS: Final = 5
_FIRST_WITH_LEVELS: Final = 6
_FIRST_WITHOUT_RARE_WORDS: Final = 7
_HASH = r"^sha256:[0-9a-f]{64}$"

Hash = Annotated[str, Field(pattern=_HASH)]


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
        n_near: Those that distances are taken to: a part of them, or others.
        n_held: Those among them that distances are compared with; of pictures each counts once, so that a part of
            numbers may have fewer scores.
        created: When it was made.
        seed: Seed of the division.
        parts: Trait, or name of a direction in one -> reference inputs.
        claims: What pictures look like for which answers are right; None where none was told.
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
    parts: dict[str, Annotated[StoredPart, Field(discriminator="kind")]] = Field(min_length=1)
    claims: ClaimsPart | None = None
    warnings: list[str] = Field(default_factory=list)
    picture_preparation: PicturePreparation | None = None

    @field_validator("descriptor")
    @classmethod
    def _known_descriptor(cls, descriptor: str) -> str:
        if descriptor not in RETIRED:
            get_descriptor(descriptor)
        return descriptor

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.format < _FIRST_WITH_DIRECTIONS and any(
            isinstance(each, DirectionPart) for each in self.parts.values()
        ):
            raise ValueError(f"format {self.format} has no directions")
        for part in self.parts.values():
            counted = part.compared.n
            by_picture = self.counts_pictures and not isinstance(part, WordsPart | VocabularyPart)
            if counted > self.n_held or (counted < self.n_held and not by_picture):
                raise ValueError("every part must have a score for each held-out question, or for each picture of them")
            if (self.format >= _FIRST_WITH_LEVELS) != (part.levels is not None):
                raise ValueError(f"levels of scores come with format {_FIRST_WITH_LEVELS}, and scores before it")
            rare = isinstance(part, VocabularyPart) and part.least < LEAST_WORDINGS
            if self.format >= _FIRST_WITHOUT_RARE_WORDS and rare:
                raise ValueError(f"format {self.format} keeps no word of fewer than {LEAST_WORDINGS} wordings")
        if self.claims is not None and self.format < _FIRST_WITH_LEVELS:
            raise ValueError(f"format {self.format} knows no answers")
        if self.claims is not None and self.format >= _FIRST_WITHOUT_RARE_WORDS and not self.claims.question:
            raise ValueError("known answers must name the words of the questions that they were learned from")
        if self.is_retired:
            return self  # as it was written: it is listed, and not used
        tolerances = DESCRIPTORS[self.descriptor].tolerances
        numbers = [
            (part.trait if isinstance(part, DirectionPart) else name, len(part.centre))
            for name, part in self.parts.items()
            if not isinstance(part, WordsPart | VocabularyPart)
        ]
        if self.claims is not None:
            numbers.append((self.claims.trait, len(self.claims.centre)))
        for trait, width in numbers:
            if width != len(tolerances.get(trait, ())):
                raise ValueError(f"{trait!r} is no trait of {self.descriptor} with {width} numbers")
        return self

    @property
    def counts_pictures(self) -> bool:
        """Whether parts of numbers count each different picture once, and not each question."""
        return self.format >= _FIRST_WITH_COUNTS

    @property
    def keeps_rows(self) -> bool:
        """Whether single questions or pictures could be recognised by it."""
        return any(isinstance(part, NumbersPart | WordsPart) for part in self.parts.values())

    @property
    def is_retired(self) -> bool:
        """Whether its descriptor is one of an earlier version, so that no question can be compared with it."""
        return self.descriptor in RETIRED

    def describer(self) -> Descriptor:
        """Find the descriptor.

        Raises:
            ValueError: If it is of an earlier version.
        """
        return get_descriptor(self.descriptor)

    def fits(self, preparation: PicturePreparation) -> bool:
        """Whether questions whose pictures went through this preparation may be compared with it.

        They may if its own went through the very same one, and are described as questions are today.
        """
        return self.picture_preparation == preparation and not self.is_retired

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
        claims = None if self.claims is None else (self.claims.trait, self.claims.claims())
        return Reference({name: part.reference() for name, part in self.parts.items()}, claims)
