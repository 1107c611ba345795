"""A text with its signs made even, each of them knowing its place in the text as it came."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Self

from prompt4trust.verdict.plain_text import ONE_FOR_ONE
from prompt4trust.verdict.words.expressions import expression

_BLANK = dict.fromkeys(map(ord, "*`\\{}$_#"), " ")
_SIGNS = {**ONE_FOR_ONE, **_BLANK, **{ord(sign): plain for sign, plain in zip("。？！；", ".?!;", strict=True)}}
_OPENED = expression(r"<([A-Za-z]{1,12})>")
_CLOSED = expression(r"</[A-Za-z]{1,12}>|<br ?/?>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EvenText:
    """A text that patterns can be laid on, and the way back.

    `prompt4trust.verdict.plain_text.without_markup` reads more, but cannot tell where in the reply its words were.

    Attributes:
        plain: The text: full-width signs as ASCII, markup as blanks, one blank for several, nothing invisible.
        lower: The same in lower case, sign for sign.
        places: For each of its characters the place in the text as it came.

    Example:
        >>> even = EvenText.of("**Confidence**：  85％")
        >>> even.plain, even.places[-1]
        (' Confidence : 85%', 19)
    """

    plain: str
    lower: str
    places: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Make a text even."""
        signs = text.translate(_SIGNS)
        if "<" in signs:
            signs = _CLOSED.sub(lambda tag: "\n" + " " * (len(tag[0]) - 1), signs)
            signs = _OPENED.sub(lambda tag: f" {tag[1]}:", signs)
        kept: list[str] = []
        places: list[int] = []
        for place, sign in enumerate(signs):
            if not sign.isascii() and unicodedata.category(sign) == "Cf":
                continue
            blank = sign.isspace() and sign != "\n"
            if blank and kept and kept[-1] == " ":
                continue
            kept.append(" " if blank else sign)
            places.append(place)
        plain = "".join(kept)
        lower = plain.lower()
        if len(lower) != len(plain):  # a sign such as "İ" becomes two
            lower = "".join(sign if len(sign.lower()) > 1 else sign.lower() for sign in plain)
        return cls(plain, lower, tuple(places))
