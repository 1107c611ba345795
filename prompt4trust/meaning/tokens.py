"""Words, numbers and signs of an answer: whatever may tell two answers apart is one of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")
_NUMBER = re.compile(r"(?:(?<![\w.])-)?(?:(?<![\w.])\.)?\d+(?:[.,]\d+)*")
_HARMLESS = frozenset(
    ".,;:!()[]{}'\"\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2026\u3001\u3002\u0964\u060c\u061b"
)
_AFTER_DIGITS = {"'": "\u2032", "\u2019": "\u2032", '"': "\u2033", "\u201d": "\u2033", ":": "\u2236"}
"""Harmless signs that say something behind a digit (feet, inches, ratios), and as what they are then kept."""


def tokens(text: str) -> Iterator[str]:
    """Yield an answer's words, numbers and signs, in order.

    Words are runs of letters with their combining marks; superscripts and fractions belong to them, so that 10\u00b3 is
    not 103. A number has its minus and its leading point. Every other sign is a token but for punctuation and for the
    hyphen between two words of two letters and more; all dashes are one.

    Args:
        text: Anything, of either case.

    Yields:
        Tokens in lower case, none with blanks in it. Those of tokens that are put together with blanks are the same.

    Example:
        >>> list(tokens("Left-sided, \u22121.5 SD (T2*)"))
        ['left', 'sided', '-1.5', 'sd', 't', '2', '*']
    """
    text = _one_form(text)
    at = 0
    while at < len(text):
        if number := _NUMBER.match(text, at):
            yield number[0]
            at = number.end()
            continue
        end = at + 1
        if _is_letter(text[at]):
            while end < len(text) and _is_letter(text[end]):
                end += 1
            yield text[at:end]
        else:
            while end < len(text) and _is_mark(text[end]) and not _says_nothing(text, at):
                end += 1
            if at and text[at - 1].isdecimal() and text[at] in _AFTER_DIGITS and _counts(text, at):
                yield _AFTER_DIGITS[text[at]] + text[at + 1 : end]
            elif not _says_nothing(text, at):
                yield text[at:end]
        at = end


def _one_form(text: str) -> str:
    """Bring widths, dashes, cases and compositions to one form; unlike NFKC it leaves superscripts as they are."""
    text = "".join(unicodedata.normalize("NFKC", each) if _has_width(each) else each for each in text)
    text = text.replace("''", '"').replace("\u2019\u2019", '"')
    text = unicodedata.normalize("NFD", text.translate(_DASHES)).casefold()
    return unicodedata.normalize("NFC", text)


def _has_width(sign: str) -> bool:
    return not sign.isascii() and unicodedata.decomposition(sign).startswith(("<wide>", "<narrow>"))


def _is_letter(sign: str) -> bool:
    """Whether a sign is part of a word: letters, marks, joiners, and numbers that are no digits."""
    return unicodedata.category(sign)[0] in "LM" or unicodedata.category(sign) in ("Nl", "No", "Cf")


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "M"


def _counts(text: str, at: int) -> bool:
    """Whether a sign behind a digit belongs to the number: a colon does between two."""
    return text[at] != ":" or text[at + 1 : at + 2].isdecimal()


def _says_nothing(text: str, at: int) -> bool:
    if text[at].isspace() or text[at] in _HARMLESS:
        return True
    around = text[max(at - 2, 0) : at] + text[at + 1 : at + 3]
    return text[at] in "-_" and at >= 2 and len(around) == 4 and all(map(_is_letter, around))
