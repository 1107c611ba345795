"""Descriptions of questions by named traits, before they are compared; each descriptor has a version."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from prompt4trust.picture_files import read_reduced_picture
from prompt4trust.pictures import ReducedPicture
from prompt4trust.questions import Question
from prompt4trust.shift.picture import COLOUR, describe_picture, tolerances
from prompt4trust.shift.words import Words, describe_words, wording

Trait = npt.NDArray[np.float64] | Words
"""One side of a question: a row of numbers, or sets of words."""


@dataclass(frozen=True, slots=True)
class Described:
    """A question's traits.

    Attributes:
        traits: Name -> trait; the same names and kinds for all questions of one descriptor and data set.
        twins: Name -> what two questions share where this trait is one and the same for both, such as the picture's
            pixels: a question's twin says nothing about how near other questions are.
        answer: What was answered, or is right, as `wording` brings it to one form, where the picture may speak against
            it (see `Claims`); None where nothing is said of that.
    """

    traits: Mapping[str, Trait]
    twins: Mapping[str, str]
    answer: str | None = None

    def answering(self, text: str | None) -> Described:
        """Make the same with an answer."""
        return replace(self, answer=None if text is None else wording(text))

    def joined(self, other: Described) -> Described:
        """Put the description of a question's other part beside this one's.

        Example:
            >>> picture, words = Described({"picture": np.zeros(2)}, {}), Described({}, {"words": "which side"})
            >>> list(picture.joined(words).traits), picture.joined(words).twins
            (['picture'], {'words': 'which side'})
        """
        return Described({**self.traits, **other.traits}, {**self.twins, **other.twins})


class Descriptor(Protocol):
    """A way to describe questions: picture and words apart, so that a picture is looked at once for several questions.

    `PictureAndWords` works beside every downstream model, hosted ones included, which return no features. A descriptor
    from a model's own features fits here too: a trait of numbers a layer, and an id that names the model.
    """

    @property
    def id(self) -> str:
        """Name and version; a change of its descriptions is another version."""
        ...

    @property
    def tolerances(self) -> Mapping[str, npt.NDArray[np.float64]]:
        """For each trait of numbers the least spread that each number is taken to have, above 0."""
        ...

    @property
    def sums(self) -> Mapping[str, tuple[str, slice]]:
        """Numbers whose sum may be judged by itself: name -> the trait, and their places in it."""
        ...

    def describe_picture(self, picture: ReducedPicture) -> Described:
        """Describe a question's picture; takes a millisecond, so not on an event loop.

        Args:
            picture: The picture, reduced.
        """
        ...

    def describe_words(self, question: str, options: Mapping[str, str]) -> Described:
        """Describe what is asked; takes less than a millisecond, but milliseconds for the longest texts.

        Args:
            question: Its text.
            options: Letter -> text; empty for an open question.
        """
        ...

    def describe(self, picture: ReducedPicture | None, question: str, options: Mapping[str, str]) -> Described:
        """Describe one question, both parts.

        Args:
            picture: Its picture, reduced, or None for a question without one.
            question: Its text.
            options: Letter -> text; empty for an open question.
        """
        ...


@dataclass(frozen=True, slots=True)
class PictureAndWords:
    """Looks at the picture's thumbnail and at the words; asks no model."""

    id: str = "picture-and-words@2"
    tolerances: Mapping[str, npt.NDArray[np.float64]] = field(
        default_factory=lambda: MappingProxyType({"picture": tolerances()})
    )
    sums: Mapping[str, tuple[str, slice]] = field(
        default_factory=lambda: MappingProxyType({"colour": ("picture", COLOUR)})
    )

    def describe_picture(self, picture: ReducedPicture) -> Described:
        """Describe a picture (see `Descriptor.describe_picture`): the trait "picture"."""
        seen = describe_picture(picture)
        return Described({"picture": seen}, {"picture": hashlib.sha256(seen.tobytes()).hexdigest()})

    def describe_words(self, question: str, options: Mapping[str, str]) -> Described:
        """Describe what is asked (see `Descriptor.describe_words`): the trait "words"."""
        return Described({"words": describe_words(question, options)}, {"words": wording(question)})

    def describe(self, picture: ReducedPicture | None, question: str, options: Mapping[str, str]) -> Described:
        """Describe one question (see `Descriptor.describe`): the traits "picture" (where there is one) and "words"."""
        words = self.describe_words(question, options)
        return words if picture is None else self.describe_picture(picture).joined(words)


DESCRIPTORS: Final[Mapping[str, Descriptor]] = MappingProxyType({each.id: each for each in (PictureAndWords(),)})
"""The descriptors by id, as reference files name them."""

RETIRED: Final = frozenset({"picture-and-words@1"})
"""Descriptors of earlier versions, by which nothing is described any more: references of theirs can be read, and no
question is compared with them. `picture-and-words@1` scaled all pixels of a picture down, with other numbers for
pictures of more than 223 pixels on both sides."""


def get_descriptor(identity: str) -> Descriptor:
    """Find a descriptor.

    Raises:
        ValueError: If there is none of that id.

    Example:
        >>> described = get_descriptor("picture-and-words@2").describe(None, "Which side?", {"A": "Left", "B": "Right"})
        >>> list(described.traits), described.twins
        (['words'], {'words': 'which side'})
    """
    try:
        return DESCRIPTORS[identity]
    except KeyError:
        raise ValueError(f"no descriptor {identity!r}; there are {', '.join(DESCRIPTORS)}") from None


def describe_questions(
    questions: Iterable[Question],
    descriptor: Descriptor,
    seen: Callable[[], None] = lambda: None,
    claims: tuple[str, str] | None = None,
) -> list[Described]:
    """Describe questions, one after another: a millisecond each, or what it takes to read the picture.

    Args:
        questions: With pictures or without.
        descriptor: The descriptor.
        seen: Called after each, for progress.
        claims: A group and its value: right answers to its questions are described with their pictures (see `Claims`).

    Returns:
        The descriptions, in order.

    Raises:
        UnreadablePictureError: If a picture cannot be read.
    """
    found = []
    for question in questions:
        picture = None if question.image is None else read_reduced_picture(question.image)
        described = descriptor.describe(picture, question.text, question.options)
        right = None if question.answer is None else question.options.get(question.answer)
        if claims is not None and question.groups.get(claims[0]) == claims[1]:
            described = described.answering(right)
        found.append(described)
        seen()
    return found
