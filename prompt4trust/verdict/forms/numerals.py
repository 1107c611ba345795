"""Numbers in English words, stars and decimal commas put in digits, so that one reader of confidences is enough."""

from __future__ import annotations

import re
from typing import Final

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
_VAGUE = r"(?![ -]?(?:odd|something|ish|plus|point|fold|th)\b)"
_FORMS: Final = (
    # Tens are put wherever they stand, so that both ends of a range are.
    re.compile(rf"\b(?P<tens>{'|'.join(_TENS)})(?:[ -](?P<units>{'|'.join(_UNITS[1:])}))?\b{_VAGUE}", re.IGNORECASE),
    re.compile(rf"\b(?P<tens>{_SMALL}|(?:a |one )?hundred)(?= per ?cent\b)", re.IGNORECASE),
    re.compile(rf"\b(?P<tens>{_SMALL})(?= out of (?:ten|five|(?:a )?hundred|\d))", re.IGNORECASE),
    re.compile(r"(?<=out of )(?P<tens>ten|five|(?:a |one )?hundred)\b", re.IGNORECASE),
    re.compile(r"(?<=confidence: )(?P<tens>(?:a |one )?hundred)\b(?! and)", re.IGNORECASE),
)
_STARS: Final = (
    (re.compile(r"(?<=\d) (?:stars?|points?)(?= (?:out of|of) \d| ?/ ?\d)", re.IGNORECASE), ""),
    (re.compile(r"(\d ?(?:/|out of|of) ?\d{1,3}) (?:stars?|points?)\b", re.IGNORECASE), r"\1"),
)
# With a per cent sign behind it, the comma is a decimal one: "72,5 %".
_COMMA = re.compile(r"(?<![\d.,])(\d{1,2}),(\d{1,2})(?= ?%)")
# One of these is in all that is put; in lower case it is looked for far faster.
_HINT = re.compile(rf"{'|'.join(_TENS)}|hundred|per ?cent|out of|[0-9] ?(?:,|stars?|points?)")


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
