"""Letters that options bear in their own texts, although a question gives each its letter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase

_LABELLED = re.compile(r"[(\[]?([A-Z])\s?([.):\]])(?:\s+|(?<=[):\]]))(\S.*)", re.DOTALL)
_BEARS = re.compile(r"[(\[]?([A-Za-z])(?:\s?([.):\]])(?:\s+|(?<=[):\]]))|\s+([-–—])\s+)(\S.*)", re.DOTALL)
"""A text that begins with a letter in any of the ways that are met with: for refusals, which lose no text."""
_FEWEST_WITH_STOPS = 3
"""Options from which on "A. X" is taken off as a letter: two may be names of persons or of species."""
_FEWEST_LETTERS = 2
"""Options with a letter from which on it is one: a single one may begin so by chance."""


def borne_letters(texts: Sequence[str]) -> str | None:
    """Take the letters that all options begin with: the first of the alphabet in any order, all marked alike.

    Returns:
        A letter an option; None where they bear none, or where "A. x" may be a species.

    Example:
        >>> borne_letters(["B: Left", "A: Right"]), borne_letters(["A. baumannii", "B. fragilis"])
        ('BA', None)
    """
    found = _labelled(texts)
    if found is None:
        return None
    # "A. fumigatus", "B. burgdorferi", "C. difficile" are names, in whatever order.
    if found[0][2] == "." and (len(found) < _FEWEST_WITH_STOPS or all(each[3][0].islower() for each in found)):
        return None
    return _letters(found)


def line_texts(lines: Sequence[str]) -> list[str] | None:
    """Take options that stand one a line, each behind its letter: a list of species would hardly be written so.

    Returns:
        The texts without their letters, or as they are where these are not in order; None where not all lines begin
        with the first letters of the alphabet, marked alike.

    Example:
        >>> line_texts(["A. left", "B. right"]), line_texts(["B: Left", "A: Right"]), line_texts(["Left", "Right"])
        (['left', 'right'], ['B: Left', 'A: Right'], None)
    """
    found = _labelled(lines)
    if found is None:
        return None
    in_order = _letters(found) == ascii_uppercase[: len(found)]
    return [each[3].strip() for each in found] if in_order else [*lines]


def _labelled(texts: Sequence[str]) -> list[re.Match[str]] | None:
    found = [each for text in texts if (each := _LABELLED.fullmatch(text)) is not None]
    if not found or len(found) < len(texts) or len({each[2] for each in found}) > 1:
        return None
    return found if sorted(_letters(found)) == [*ascii_uppercase[: len(found)]] else None


def _letters(found: Sequence[re.Match[str]]) -> str:
    return "".join(each[1] for each in found)


def bears_another_letter(options: Mapping[str, str]) -> bool:
    """Whether an option's text begins with another option's letter, so that an answer by letter could mean either.

    Args:
        options: Letter -> text.

    Returns:
        Whether two texts or more begin with different letters, in either case and marked in any way, and one of these
        is the letter of another option. "B. fragilis" and "B - cell lymphoma" begin with none: they go on in lower
        case.

    Example:
        >>> bears_another_letter({"A": "A: Left", "B": "C) Right", "C": "d - Both"})
        True
        >>> bears_another_letter({"A": "B. fragilis", "B": "A. baumannii"})
        False
    """
    found = {letter: each for letter, text in options.items() if (each := _borne(text)) is not None}
    if len(found) < _FEWEST_LETTERS or len({*found.values()}) < len(found):
        return False
    return any(borne != letter and borne in options for letter, borne in found.items())


def _borne(text: str) -> str | None:
    found = _BEARS.fullmatch(text)
    if found is None:
        return None
    letter, mark, _, rest = found.groups()
    is_name = mark in (".", None) and letter.isupper() and rest[0].islower()
    return None if is_name else letter.upper()


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
