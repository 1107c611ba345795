"""Options that stand in a question's text, a line each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_uppercase
from typing import Final

from prompt4trust.errors import UnclearOptionsError
from prompt4trust.options.labels import Label, label_of

_START: Final = (
    r"\s{0,40}(?:[-*+•·–—>#]\s{0,8}){0,2}(?:(?i:option|choice|answer)\s{1,8})?[*_`\"'(\[{<（]{0,4}"
    r"(?P<letter>[A-Za-z])(?![\w'’])"
)
_BEGINS: Final = re.compile(_START)
"""A line that begins with a letter of its own, whatever is behind it."""
_LIKE: Final = re.compile(_START + r"[*_`\"]{0,4}\s{0,8}[:.)\]}>,;=/|–—→：．、）\-](?P<text>.*)")
"""A line that looks like an option, whether or not it can be read as one."""
_NUMBERED: Final = re.compile(
    r"\s{0,40}(?:[-*+•]\s{1,8})?[*_(\[]{0,4}(?:\d{1,2}|[IVXivx]{1,4})[*_]{0,2}\s{0,8}[:.)\]–—\-](?!\d).*"
)
_BULLETED: Final = re.compile(r"\s{0,40}[-*+•·‣◦–]\s{1,8}\S.*")
_OTHER_LETTER: Final = re.compile(
    r"\s{0,40}(?:[-*+•]\s{0,8})?(?:[*(\[（【]{0,3}[^\W\d_A-Za-z]\s?[:.)\]：．、）】]|[①-⑳Ⓐ-ⓩⅠ-ⅿ])\s*\S.*"
)
"""A line that begins with a letter of another script, or a wide one, as an option's."""
_LONGEST: Final = 40_000
"""Characters of a text in which options are looked for; a question with 26 of them has fewer."""


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

    Options are lines, one below the other, that begin with A, B, C, ... in order, all marked alike: "A: x", "A. x",
    "A) x", "(A) x", "[A] x", "A - x", "**A.** x", each also as the item of a list, "- A: x". Blank lines may
    lie between them; whatever stands before them, and after a blank line behind them, is the question.

    What could also be read otherwise is refused: an option that is lost, or cut at the end of its line, changes what is
    asked, and nobody would see it in the answer.

    Args:
        text: The text.

    Raises:
        UnclearOptionsError: If lines look like options and cannot all be read as such.

    Example:
        >>> split_options("Which shape?\nA: Round\nB: Oval")
        TextWithOptions(question='Which shape?', options=('Round', 'Oval'))
        >>> split_options("Is there an effusion?").options
        ()
    """
    if len(text) > _LONGEST:
        return TextWithOptions(text, ())
    lines = text.splitlines()
    alike = [place for place, line in enumerate(lines) if _LIKE.match(line)]
    found = {place: label for place in alike if (label := label_of(lines[place]))}
    if len(alike) < 2 or all(_is_bare(line) for line in lines):
        _check_open(text, lines)
        return TextWithOptions(text, ())
    options = list(found.values())
    if "".join(each.letter for each in options) != ascii_uppercase[: len(options)]:
        raise UnclearOptionsError(
            "has lines that look like options, whose letters are not in order: write A:, B:, C:, ..."
        )
    if len(found) < len(alike) or len({each.style for each in options}) > 1 or not options[0].is_known:
        raise UnclearOptionsError(
            "has lines that look like options and are not all marked in one known way: write A:, B:, C:, ..."
        )
    first, last = alike[0], alike[-1]
    if any(line.strip() and place not in found for place, line in enumerate(lines[first:last], first)):
        raise UnclearOptionsError("has other lines between those of its options: each option takes one line")
    _check_end(lines[last + 1 :], found[last], len(options))
    question = "\n".join([*lines[:first], *lines[last + 1 :]])
    return TextWithOptions(question, tuple(each.text for each in options))


def _is_bare(line: str) -> bool:
    label = _LIKE.match(line)
    return not line.strip() or (label is not None and not label["text"].strip())


def _check_open(text: str, lines: list[str]) -> None:
    """Check that a text without lines of options has none elsewhere."""
    if all(_is_bare(line) for line in lines):
        return
    # One after the other: a single pattern for both would take a time that grows with the square of the length.
    # "Which is larger, (A) or (B)?" is a question about two things in the picture.
    first = re.compile(_label("A") + r"(?=[\s\w])").search(text)
    if first is not None and re.compile(_label("B") + r"(?=[\s\w])").search(text, first.end()) is not None:
        raise UnclearOptionsError("has several options in one line: give each a line of its own")
    filled = [line for line in lines if line.strip()]
    starts = [begin["letter"].upper() if (begin := _BEGINS.match(line)) else "" for line in filled]
    if any(pair == ("A", "B") for pair in pairwise(starts)):
        raise UnclearOptionsError("has lines that look like options: mark each, A:, B:, C:, ...")
    if any(_OTHER_LETTER.fullmatch(line) and _OTHER_LETTER.fullmatch(after) for line, after in pairwise(filled)):
        raise UnclearOptionsError("has lines that look like options, with other letters than A, B, C, ...: use these")
    if len(filled) > 1 and all(_NUMBERED.match(line) for line in filled[-2:]):
        raise UnclearOptionsError("ends with a numbered list, which may be its options: mark them A:, B:, C:, ...")
    if len(filled) > 2 and all(_BULLETED.match(line) for line in filled[-2:]):
        raise UnclearOptionsError("ends with a list, which may be its options: mark them A:, B:, C:, ...")


def _check_end(behind: list[str], last: Label, count: int) -> None:
    """Check that the options end where the last one was found."""
    if behind and behind[0].strip():
        raise UnclearOptionsError(
            "goes on right below its last option, which may be a part of it: each option takes one line, and a blank "
            "line ends them"
        )
    if count == len(ascii_uppercase):
        return
    following = ascii_uppercase[count]
    begins = any((start := _BEGINS.match(line)) and start["letter"].upper() == following for line in behind)
    if begins or re.search(_label(following), "\n".join([last.text, *behind])):
        raise UnclearOptionsError(f"names an option {following} that is no line of its own behind the others")


def _label(letter: str) -> str:
    """Write the pattern of what marks a letter as that of an option within a text."""
    return rf"(?:^|[\s>?？。]|\\n)(?:\*\*)?(?:[(\[]{letter}[)\]]|{letter}(?:\*\*)?(?:[:.)：．、）]|\s[-–—](?=\s)))"
