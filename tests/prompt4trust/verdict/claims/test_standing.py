"""Verdicts under a heading that makes them another's or none are not the model's; under other headings they are."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from tests.prompt4trust.growth import takes_linear_time

VERDICTS = ["The answer is B with confidence 80.", "Answer: B\nConfidence: 80", "Confidence: 80\nAnswer: B"]


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize(
    "heading",
    [
        *["The user wrote:", "A colleague replied as follows:", "An earlier draft read:", "This answer is wrong:"],
        *["What not to say:", "Suppose somebody answers:", "The report states:", "I would never write:", "Incorrect:"],
        *["Do not answer like this:", "The following is not my answer:", "Don't say:", "My teacher said this:"],
        *["The previous model said:", "In the report it says:", "How a senior resident answered:"],
    ],
)
def test_a_heading_may_disown_what_is_below(heading: str, verdict: str) -> None:
    assert isinstance(parse_verdict(f"{heading}\n{verdict}", "ABCD"), Invalid)


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize(
    "heading",
    [
        *[
            "Here is my answer:",
            "In the requested format:",
            "My report states:",
            "Report:",
            "To answer the user's question:",
        ],
        *["After reviewing the report, I would answer:", "It is not a fracture. My conclusion:", "Impression:"],
        *["Initial response:", "The model answers:", "The first answer option fits best:", "Cardiothoracic quotient:"],
        *["Imaging findings the radiologist reads:", "As the question is not easy, I reason as follows:"],
        *["The biopsy sample shows:", "Once false positives are left out:", "The other answer options are out:"],
    ],
)
def test_most_headings_do_not(heading: str, verdict: str) -> None:
    assert parse_verdict(f"{heading}\n{verdict}", "ABCD") == Verdict("B", 0.8)


def test_a_first_answer_does_not_stand_over_another() -> None:
    first = "Initial response:\nAnswer: A\nConfidence: 60\n"
    assert parse_verdict(first, "ABCD") == Verdict("A", 0.6)
    assert parse_verdict(f"{first}Revised response:\nAnswer: B\nConfidence: 80", "ABCD") == Verdict("B", 0.8)


def test_many_lines_of_headings_are_read_in_linear_time() -> None:
    def read(text: str) -> None:
        parse_verdict(text, "ABCD")

    assert takes_linear_time(read, "The user wrote: is not:\nAnswer: B\n", 250)
