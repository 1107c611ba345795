"""Numbers in English words, stars and decimal commas put in digits, so that one reader of confidences is enough."""

from __future__ import annotations

import re
from typing import Final

from prompt4trust.verdict.words.expressions import expression

_UNITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS: Final = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES: Final = {
    **{word: value for value, word in enumerate((*_UNITS, *_TEENS))},
    **{word: 10 * value for value, word in enumerate(_TENS, start=2)},
    "hundred": 100,
}
_SMALL = "|".join((*_UNITS, *_TEENS))
_TOP = r"(?:ten|five|(?:a |one )?hundred|\d{1,3})\b(?! ?(?:hundred|thousand|million|and|or|to)\b)"
_PER_CENT = r" ?(?:per ?cent\b|%)(?! ?(?:minus|plus|less|more|below|above|no|not|doubt|wrong|of)\b)"
_CLOSES = (
    r"[.;!)\]\"'”*|\n]|$|,? (?:because|since|as|given|based|due|considering)\b|, (?:the|so|and|my|with)\b"
    r"|,? confiden| ?\((?!or\b|and\b|then\b|to\b)"
)
# What may stand behind a number; behind any other word, more of it may come: "eighty-year-old", "ninety point five".
_NUMBER_ENDS = (
    rf"(?={_PER_CENT}|{_CLOSES}| out of {_TOP}| on (?:a|the) scale\b| ?/ ?\d"
    rf"|(?: ?[–-] ?| (?:to|or|and|through) )(?:{'|'.join(_TENS)}|(?:a |one )?hundred\b|\d)"
    r"|, (?:maybe|perhaps|possibly|rather) )"
)
_FORMS: Final = (
    # Both ends of a range are put, so that it is seen to be one.
    expression(
        rf"(?<!point )(?<!hundred )\b(?P<tens>{'|'.join(_TENS)})(?:[ -](?P<units>{'|'.join(_UNITS[1:])})\b)?+"
        rf"{_NUMBER_ENDS}",
        re.IGNORECASE,
    ),
    expression(
        rf"(?<!point )(?<!hundred )(?<![\w-])(?P<tens>{_SMALL}|(?:a |one )?hundred)(?={_PER_CENT})", re.IGNORECASE
    ),
    expression(rf"(?<![\w-])(?P<tens>{_SMALL})(?= out of {_TOP})", re.IGNORECASE),
    expression(rf"(?<=out of )(?=(?:ten|five|a|one|hundred)\b)(?P<tens>{_TOP})", re.IGNORECASE),
    expression(rf"(?<=confidence: )(?P<tens>(?:a |one )?hundred)\b(?={_CLOSES})", re.IGNORECASE),
)
_STARS: Final = (
    (expression(r"(?<=\d) (?:stars?|points?)(?= (?:out of|of) \d| ?/ ?\d)", re.IGNORECASE), ""),
    (expression(r"(\d ?(?:/|out of|of) ?\d{1,3}) (?:stars?|points?)\b", re.IGNORECASE), r"\1"),
)
# With a per cent sign behind it, the comma is a decimal one: "72,5 %".
_COMMA = expression(r"(?<![\d.,])(\d{1,2}),(\d{1,2})(?= ?%)")
# One of these is in all that is put; in lower case it is looked for far faster.
_HINT = expression(rf"{'|'.join(_TENS)}|hundred|per ?cent|out of|[0-9] ?(?:,|stars?|points?)")


def in_digits(text: str) -> str:
    """Put the numbers of a text that may be confidences in digits.

    Args:
        text: Plain text.

    Returns:
        The text; words that leave the number open ("ninety-something") and small numbers that are none of a scale or
        of per cents ("one option") stay as they were.

    Example:
        >>> in_digits("Confidence: eighty-five. One option, 4 stars out of five, seventy to ninety percent")
        'Confidence: 85. One option, 4 out of 5, 70 to 90 percent'
    """
    if not _HINT.search(text.lower()):
        return text
    for form in _FORMS:
        text = form.sub(_digits, text)
    for form, plain in _STARS:
        text = form.sub(plain, text)
    return _COMMA.sub(r"\1.\2", text)


def _digits(found: re.Match[str]) -> str:
    groups = found.groupdict()
    units = groups.get("units")
    return str(_VALUES[groups["tens"].lower().split()[-1]] + (_VALUES[units.lower()] if units else 0))
