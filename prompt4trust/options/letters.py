"""Letters that options bear in their own texts, although a question gives each its letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from prompt4trust.options.labels import Label, label_of
from prompt4trust.questions import letter_options

_FEWEST_OF_NAMES = 3
"""Options from which on "A. X" is taken off as a letter: two may be names of persons or of species."""
_FEWEST_LETTERS = 2
"""Options with a letter from which on it is one: a single one may begin so by chance."""


def bare_options(options: Mapping[str, str]) -> dict[str, str] | None:
    """Take away the letters that options bear, since a question shows its own: twice they would confuse a model.

    Args:
        options: Letter -> text.

    Returns:
        The options: without their letters where all texts begin with their own, marked alike; else as they are. None
        where some begin with another option's, so that an answer by letter could mean either.

    Example:
        >>> bare_options({"A": "A: Left", "B": "B: Right"}), bare_options({"A": "B: Left", "B": "A: Right"})
        ({'A': 'Left', 'B': 'Right'}, None)
    """
    found = _labelled([*options.values()], [*options])
    if found is not None and not _are_names(found) and [each.letter for each in found] == [*options]:
        return {letter: each.text for letter, each in zip(options, found, strict=True)}
    return None if bears_another_letter(options) else dict(options)


def borne_letters(texts: Sequence[str]) -> str | None:
    """Take the letters that all options begin with: the first of the alphabet in any order, all marked alike.

    Returns:
        A letter an option; None where they bear none, or where "A. x" may be a name.

    Example:
        >>> borne_letters(["B: Left", "A: Right"]), borne_letters(["A. baumannii", "B. fragilis"])
        ('BA', None)
    """
    found = _labelled(texts, [*ascii_uppercase[: len(texts)]])
    return None if found is None or _are_names(found) else "".join(each.letter for each in found)


def line_texts(lines: Sequence[str]) -> list[str] | None:
    """Take options that stand one a line, each behind its letter: a list of species would hardly be written so.

    Returns:
        The texts without their letters, or as they are where these are not in order; None where not all lines begin
        with the first letters of the alphabet, marked alike.

    Example:
        >>> line_texts(["A. left", "B. right"]), line_texts(["B: Left", "A: Right"]), line_texts(["Left", "Right"])
        (['left', 'right'], ['B: Left', 'A: Right'], None)
    """
    letters = [*ascii_uppercase[: len(lines)]]
    found = _labelled(lines, letters)
    if found is None:
        return None
    return [each.text for each in found] if [each.letter for each in found] == letters else [*lines]


def _labelled(texts: Sequence[str], letters: Sequence[str]) -> list[Label] | None:
    """Read the labels of texts that all have one of these letters, each once, marked alike and apart from the text."""
    found = [each for text in texts if (each := label_of(text)) is not None and each.is_known and each.is_apart]
    if not found or len(found) < len(texts) or len({each.style for each in found}) > 1:
        return None
    return found if sorted(each.letter for each in found) == sorted(letters) else None


def _are_names(found: Sequence[Label]) -> bool:
    """Whether labels may be parts of names: "A. fumigatus", "B. burgdorferi", "C. difficile", in whatever order."""
    return found[0].may_be_name and (len(found) < _FEWEST_OF_NAMES or all(each.is_name for each in found))


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
    labels = {letter: label_of(text) for letter, text in options.items()}
    found = {letter: each.letter for letter, each in labels.items() if each and each.is_apart and not each.is_name}
    if len(found) < _FEWEST_LETTERS or len({*found.values()}) < len(found):
        return False
    return any(borne != letter and borne in options for letter, borne in found.items())


def without_letters(texts: Sequence[str]) -> list[str] | None:
    """Take away letters that options bear, as `bare_options` does, of options that have no letters yet.

    Returns:
        The texts; None where the letters are not in order, so that an answer by letter would mean another option than
        the one in its place.

    Example:
        >>> without_letters(["A: Left", "B: Right"]), without_letters(["B: Left", "A: Right"])
        (['Left', 'Right'], None)
    """
    bare = bare_options(letter_options(texts)) if texts else {}
    return None if bare is None else [*bare.values()]


def letter_and_text(answer: str) -> tuple[str, str] | None:
    """Read an answer that gives an option's letter and its text.

    Example:
        >>> letter_and_text("(B) Right"), letter_and_text("Right")
        (('B', 'Right'), None)
    """
    found = label_of(answer)
    return None if found is None or not found.is_apart else (found.letter, found.text)
