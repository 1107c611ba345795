"""Options that stand in a question's text, a line each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final

_LINE: Final = re.compile(r"\s{0,40}\(?(?P<letter>[A-Za-z])[:.)]\s{1,40}(?P<text>\S.*)")
_FIRST: Final = re.compile(r"(?:^|\s)\(?A[:.)]\s")
_SECOND: Final = re.compile(r"\s\(?B[:.)]\s")
_LONGEST: Final = 40_000
"""Characters of a text in which options are looked for; a question with 26 of them has fewer."""


class UnclearOptionsError(ValueError):
    """Lines look like options and cannot be read as such; the message is the end of a sentence about the text."""


@dataclass(frozen=True, slots=True)
class TextWithOptions:
    """A question's text, taken apart.

    Attributes:
        question: The text without the lines of options.
        options: Texts of the options, of A first; none for an open question.
    """

    question: str
    options: tuple[str, ...]


def split_options(text: str) -> TextWithOptions:
    r"""Take a text apart into the question and its options.

    Options are lines, one below the other, that begin with A, B, C, ... in order, each with ":", "." or ")" behind its
    letter. Blank lines may lie between them; whatever stands before and after them is the question.

    Args:
        text: The text.

    Raises:
        UnclearOptionsError: If lines look like options and are not in order, or one line holds several.

    Example:
        >>> split_options("Which shape?\nA: Round\nB: Oval")
        TextWithOptions(question='Which shape?', options=('Round', 'Oval'))
        >>> split_options("Is there an effusion?").options
        ()
    """
    if len(text) > _LONGEST:
        return TextWithOptions(text, ())
    lines = text.splitlines()
    found = [(place, line) for place, each in enumerate(lines) if (line := _LINE.fullmatch(each))]
    if len(found) < 2:
        if any(_holds_two(line) for line in lines):
            raise UnclearOptionsError("has several options in one line: give each a line of its own")
        return TextWithOptions(text, ())
    first, last = found[0][0], found[-1][0]
    if "".join(line["letter"].upper() for _, line in found) != ascii_uppercase[: len(found)]:
        raise UnclearOptionsError("has lines that look like options, whose letters are not A, B, C, ... in order")
    if any(line.strip() and not _LINE.fullmatch(line) for line in lines[first : last + 1]):
        raise UnclearOptionsError("has other lines between those of its options: each option takes one line")
    question = "\n".join([*lines[:first], *lines[last + 1 :]])
    return TextWithOptions(question, tuple(line["text"].strip() for _, line in found))


def _holds_two(line: str) -> bool:
    # One after the other: a single pattern for both would take a time that grows with the square of the line's length.
    first = _FIRST.search(line)
    return first is not None and _SECOND.search(line, first.end()) is not None
