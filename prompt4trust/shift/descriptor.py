"""Descriptions of questions by named traits, before they are compared; each descriptor has a version."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from prompt4trust.picture_files import read_picture
from prompt4trust.questions import Question
from prompt4trust.shift.picture import describe_picture, tolerances
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
    """

    traits: Mapping[str, Trait]
    twins: Mapping[str, str]


class Descriptor(Protocol):
    """A way to describe questions.

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

    def describe(self, picture: Image.Image | None, question: str, options: Mapping[str, str]) -> Described:
        """Describe one question; takes milliseconds, so not on an event loop.

        Args:
            picture: Of mode L or RGB, or None for a question without one.
            question: Its text.
            options: Letter -> text; empty for an open question.
        """
        ...


@dataclass(frozen=True, slots=True)
class PictureAndWords:
    """Looks at the picture's thumbnail and at the words; asks no model."""

    id: str = "picture-and-words@1"
    tolerances: Mapping[str, npt.NDArray[np.float64]] = field(
        default_factory=lambda: MappingProxyType({"picture": tolerances()})
    )

    def describe(self, picture: Image.Image | None, question: str, options: Mapping[str, str]) -> Described:
        """Describe one question (see `Descriptor.describe`): the traits "picture" (where there is one) and "words"."""
        traits: dict[str, Trait] = {"words": describe_words(question, options)}
        twins = {"words": wording(question)}
        if picture is not None:
            seen = describe_picture(picture)
            traits = {"picture": seen, **traits}
            twins["picture"] = hashlib.sha256(seen.tobytes()).hexdigest()
        return Described(traits, twins)


DESCRIPTORS: Final[Mapping[str, Descriptor]] = MappingProxyType({each.id: each for each in (PictureAndWords(),)})
"""The descriptors by id, as reference files name them."""


def get_descriptor(identity: str) -> Descriptor:
    """Find a descriptor.

    Raises:
        ValueError: If there is none of that id.

    Example:
        >>> described = get_descriptor("picture-and-words@1").describe(None, "Which side?", {"A": "Left", "B": "Right"})
        >>> list(described.traits), described.twins
        (['words'], {'words': 'which side'})
    """
    try:
        return DESCRIPTORS[identity]
    except KeyError:
        raise ValueError(f"no descriptor {identity!r}; there are {', '.join(DESCRIPTORS)}") from None


def describe_questions(
    questions: Iterable[Question], descriptor: Descriptor, seen: Callable[[], None] = lambda: None
) -> list[Described]:
    """Describe questions, one after another: some milliseconds each.

    Args:
        questions: With pictures or without.
        descriptor: The descriptor.
        seen: Called after each, for progress.

    Returns:
        The descriptions, in order.

    Raises:
        UnreadablePictureError: If a picture cannot be read.
    """
    found = []
    for question in questions:
        picture = None if question.image is None else read_picture(question.image)
        found.append(descriptor.describe(picture, question.text, question.options))
        seen()
    return found
