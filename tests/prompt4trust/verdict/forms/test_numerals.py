"""Numbers in words: every whole per cent is read back, and words that leave the number open are not."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from prompt4trust.verdict.forms.numerals import in_digits

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
WORDS = [*SMALL.split(), "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
for ten in TENS:
    WORDS += [ten, *(f"{ten}-{unit}" for unit in WORDS[1:10])]
WORDS.append("one hundred")


def test_every_per_cent_is_read_back() -> None:
    assert len(WORDS) == 101
    for value, word in enumerate(WORDS):
        for reply in (f"Answer: B\nConfidence: {word} percent", f"Answer: B. I am {word} per cent sure."):
            assert parse_verdict(reply, "ABCD") == Verdict("B", value / 100)
        if value >= 20:
            assert parse_verdict(f"Answer: B\nConfidence: {word.replace('-', ' ')}", "ABCD") == Verdict(
                "B", value / 100
            )


@pytest.mark.parametrize(
    "stated",
    [
        *["eighty to ninety percent", "eighty or ninety", "ninety-something", "ninety odd", "ninety plus", "a seven"],
        *[
            "one hundred and ten percent",
            "two hundred percent",
            "ninety point five",
            "fifty-fifty",
            "eighty, maybe ninety",
        ],
        *["at least eighty percent", "one in ten", "five stars", "eighty or more", "over one hundred percent"],
    ],
)
def test_words_that_leave_the_number_open_are_no_confidence(stated: str) -> None:
    assert parse_verdict(f"Answer: B\nConfidence: {stated}", "ABCD") == Invalid("no_confidence")


@pytest.mark.parametrize(
    ("stated", "confidence"),
    [
        *[("4 stars out of 5", 0.8), ("four out of five", 0.8), ("3 out of 5 stars", 0.6), ("nine out of ten", 0.9)],
        *[("72,5 %", 0.725), ("a 4 on a scale from 1 to 5", 0.8)],
    ],
)
def test_scales_and_decimal_commas(stated: str, confidence: float) -> None:
    assert parse_verdict(f"Answer: B\nMy confidence is {stated}.", "ABCD") == Verdict("B", confidence)


def test_other_words_stay() -> None:
    said = "One option of two, ten views, a hundred patients, 1,5 and 2,5 cm."
    assert in_digits(said) == said
