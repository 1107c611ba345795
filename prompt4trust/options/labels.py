"""A letter before an option's text: the one rule of what marks it, for tables, requests and chats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LABEL: Final = re.compile(
    r"\s{0,40}(?P<before>(?:[-*+•]\s{1,8})?(?:\*\*[(\[（]?|[(\[（])?)(?P<letter>[A-Za-z])"
    r"(?P<after>\s?[:.)\]：．、）](?:\*\*)?|\*\*[:.)]|\s{1,8}[-–—](?=\s))(?=\s|[^\s:.)\]*])(?P<gap>\s{0,40})(?P<text>\S.*)",
    re.DOTALL,
)
_STYLES: Final = frozenset(
    [
        *("X:", "X.", "X)", "(X)", "[X]", "X-", "X–", "X—"),
        *("X：", "X．", "X、", "X）", "（X）"),  # of Chinese and Japanese
        *("**X:**", "**X.**", "**X)**", "**(X)**", "**[X]**", "**X**:", "**X**.", "**X**)"),
    ]
)
_MARKED: Final = _STYLES | {bullet + style for bullet in "-*+•" for style in _STYLES}
_OF_NAMES: Final = frozenset({"X.", "X-", "X–", "X—"})
_OWN: Final = re.compile(r"(?P<letter>[A-Za-z])[ \t]{0,40}:[ \t]{0,40}(?P<text>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Label:
    """A letter before a text.

    Attributes:
        letter: The letter, a capital.
        style: How it is marked, blanks aside: "-X:" for "- A: Round", "-x:" for "- a: Round".
        is_apart: Whether a blank or a bracket parts it from the text; "A.x" may be one word.
        text: What is behind it.
    """

    letter: str
    style: str
    is_apart: bool
    text: str

    @property
    def is_known(self) -> bool:
        """Whether the letter is marked in a way that lists of options are."""
        return self.style.upper() in _MARKED

    @property
    def may_be_name(self) -> bool:
        """Whether the letter may be a part of a name, such as "B. Braun" or "B - cell"."""
        return self.style in _OF_NAMES

    @property
    def is_name(self) -> bool:
        """Whether letter and text read as one name: "A. fumigatus", "B - cell lymphoma"."""
        return self.may_be_name and self.text[0].islower()


def label_of(text: str) -> Label | None:
    """Read the letter that a text begins with; None where it begins with none that is marked.

    Example:
        >>> label_of("(b) Left")
        Label(letter='B', style='(x)', is_apart=True, text='Left')
        >>> label_of("Left") is None
        True
    """
    found = _LABEL.fullmatch(text)
    if found is None:
        return None
    mark = f"{found['before']}{'X' if found['letter'].isupper() else 'x'}{found['after']}"
    style = "".join(mark.split())
    return Label(found["letter"].upper(), style, bool(found["gap"]) or "." not in style, found["text"].strip())


def without_own_letter(letter: str, text: str) -> str:
    """Take a letter away from the text of one option, whatever the others begin with: its own and a colon, no more.

    Args:
        letter: The option's letter, a capital.
        text: Its text. "A. baumannii" in the place of A is a name.

    Example:
        >>> without_own_letter("A", "A: Lung"), without_own_letter("B", "A: Lung")
        ('Lung', 'A: Lung')
    """
    found = _OWN.fullmatch(text)
    return found["text"] if found is not None and found["letter"].upper() == letter else text
