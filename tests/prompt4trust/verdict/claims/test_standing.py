"""Verdicts under a heading that makes them another's or none are not the model's; under other headings they are."""

from __future__ import annotations

import time

import pytest

from prompt4trust.verdict import Invalid, Verdict, parse_verdict

VERDICTS = ["The answer is B with confidence 80.", "Answer: B\nConfidence: 80", "Confidence: 80\nAnswer: B"]


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize(
    "heading",
    [
        *["The user wrote:", "A colleague replied as follows:", "An earlier draft read:", "This answer is wrong:"],
        *["What not to say:", "Suppose somebody answers:", "The report states:", "I would never write:", "Incorrect:"],
        *["Do not answer like this:", "The following is not my answer:", "Don't say:", "My teacher said this:"],
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
    ],
)
def test_most_headings_do_not(heading: str, verdict: str) -> None:
    assert parse_verdict(f"{heading}\n{verdict}", "ABCD") == Verdict("B", 0.8)


def test_many_lines_of_headings_are_read_in_linear_time() -> None:
    began = time.process_time()
    parse_verdict("The user wrote: is not:\nAnswer: B\n" * 4_000, "ABCD")
    assert time.process_time() - began < 10
