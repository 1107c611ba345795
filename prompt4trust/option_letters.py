"""Letters that options bear in their own texts, although a question gives each its letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

_LABELLED = re.compile(r"[(\[]?([A-Z])\s?([.):\]])(?:\s+|(?<=[):\]]))(\S.*)", re.DOTALL)
_FEWEST_WITH_STOPS = 3
"""Options from which on "A. x" is a letter: two may be names of species, as A. baumannii and B. fragilis."""


def borne_letters(texts: Sequence[str]) -> str | None:
    """Take the letters that all options begin with: the first of the alphabet in any order, all marked alike.

    Returns:
        A letter an option; None where they bear none, or where "A. x" may be a species.

    Example:
        >>> borne_letters(["B: Left", "A: Right"]), borne_letters(["A. baumannii", "B. fragilis"])
        ('BA', None)
    """
    found = [_LABELLED.fullmatch(text) for text in texts]
    marks = {each[2] for each in found if each is not None}
    if not found or None in found or len(marks) > 1:
        return None
    letters = "".join(each[1] for each in found if each is not None)
    if sorted(letters) != [*ascii_uppercase[: len(letters)]]:
        return None
    if marks == {"."} and (len(letters) < _FEWEST_WITH_STOPS or _may_be_species(letters, found)):
        return None
    return letters


def _may_be_species(letters: str, found: Sequence[re.Match[str] | None]) -> bool:
    """Whether "B. fragilis", "A. baumannii", "C. difficile" are names, in any order and lower case."""
    in_order = letters == ascii_uppercase[: len(letters)]
    return not in_order and all(each[3][0].islower() for each in found if each is not None)


def without_letters(texts: Sequence[str]) -> list[str] | None:
    """Take away letters that options bear, since a question shows its own: twice they would confuse a model.

    Returns:
        The texts; None where the letters are not in order, so that an answer by letter would mean another option than
        the one in its place.

    Example:
        >>> without_letters(["A: Left", "B: Right"]), without_letters(["B: Left", "A: Right"])
        (['Left', 'Right'], None)
    """
    letters = borne_letters(texts)
    if letters is None:
        return [*texts]
    if letters != ascii_uppercase[: len(letters)]:
        return None
    return [_LABELLED.fullmatch(text)[3].strip() for text in texts]  # type: ignore[index]


def letter_and_text(answer: str) -> tuple[str, str] | None:
    """Read an answer that gives an option's letter and its text.

    Example:
        >>> letter_and_text("(B) Right"), letter_and_text("Right")
        (('B', 'Right'), None)
    """
    found = _LABELLED.fullmatch(answer)
    return None if found is None else (found[1], found[3].strip())
