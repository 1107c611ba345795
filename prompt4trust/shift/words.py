"""A question as two sets of hashed words: its own, and those of its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2s
from itertools import pairwise
from typing import Final

from prompt4trust.question_signals.words import split_words

BUCKETS: Final = 2**16
"""Number of different hashes of words."""


@dataclass(frozen=True, slots=True)
class Words:
    """A question and its options.

    Attributes:
        question: Hashes of the question's words and of its pairs of neighbouring words, ascending, in [0, BUCKETS).
        options: Hashes of the words of all options; their order and that of the options do not enter.
    """

    question: tuple[int, ...]
    options: tuple[int, ...]


def describe_words(question: str, options: Mapping[str, str]) -> Words:
    """Describe a question.

    Args:
        question: Its text; case, punctuation and blanks do not enter.
        options: Letter -> text; empty for an open question.

    Returns:
        The words, hashed (Weinberger et al., ICML 2009): no text is kept, though who has a dictionary may guess words.
    """
    words = split_words(question)
    pairs = (f"{one} {other}" for one, other in pairwise(words))
    said = (word for text in options.values() for word in split_words(text))
    return Words(_hashed((*words, *pairs)), _hashed(said))


def wording(question: str) -> str:
    """Bring a question to the form in which two are the same wording.

    Example:
        >>> wording("Which  side, please?")
        'which side please'
    """
    return " ".join(split_words(question))


def _hashed(words: Iterable[str]) -> tuple[int, ...]:
    # Not Python's own hash, which differs from process to process.
    return tuple(sorted({int.from_bytes(blake2s(word.encode("utf-8", "surrogatepass"), digest_size=2).digest(), "big")
                         for word in words}))  # fmt: skip
