"""Remarks around a clean verdict, such as that it is no medical advice, change nothing of it; others' verdicts do."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Invalid, Verdict, parse_verdict

OPTIONS = {"A": "Left lower lobe", "B": "Right upper lobe", "C": "Both lungs", "D": "Neither lung"}
REMARKS = [
    *[
        "This is not medical advice; please consult a professional.",
        "This is not a diagnosis.",
        "Not for clinical use.",
    ],
    *["Note: not for diagnosis.", "Note: This is not for diagnostic use.", "I am not a doctor."],
    *[
        "I'm not a radiologist, so please consult one.",
        "This cannot replace a radiologist.",
        "It is no substitute for one.",
    ],
    *["Disclaimer: I am an AI model and cannot replace a radiologist.", "*I can't provide medical advice.*"],
    *["Please note that this should not be used for clinical decisions.", "That said, this is not medical advice."],
    *["Always consult a qualified physician; AI can be wrong.", "My reading may be wrong; errors are possible."],
    *[
        "The image is not of diagnostic quality.",
        "In case of doubt, ask a radiologist.",
        "AI-generated; may contain errors.",
    ],
]
VERDICTS = [
    *["Answer: B\nConfidence: 82", "**Answer: B**\n\n**Confidence: 82%**", "The answer is B with confidence 82."],
    *["The answer is B. I am 82% confident.", "B (82%)"],
]


@pytest.mark.parametrize("remark", REMARKS)
def test_a_remark_on_a_line_of_its_own_takes_nothing_back(remark: str) -> None:
    for verdict in VERDICTS:
        assert parse_verdict(f"{verdict}\n\n{remark}", OPTIONS) == Verdict("B", 0.82)
        if not verdict.startswith("B"):
            assert parse_verdict(f"{remark}\n\n{verdict}", OPTIONS) == Verdict("B", 0.82)


@pytest.mark.parametrize("remark", ["that it is not B", "that I am wrong", "(this is wrong)", "(not B)", "in error"])
def test_one_on_the_same_line_may(remark: str) -> None:
    assert parse_verdict(f"Answer: B\nConfidence: 82 {remark}", OPTIONS) == Invalid("no_confidence")


@pytest.mark.parametrize("reader", ["First reader", "Reader 2", "Radiologist A", "The attending", "Expert #1"])
def test_a_verdict_under_a_reader_s_heading_is_not_the_model_s(reader: str) -> None:
    assert parse_verdict(f"{reader}: the answer is B with confidence 82.", OPTIONS) == Invalid("ambiguous")
    assert parse_verdict(f"{reader}:\nAnswer: B\nConfidence: 82", OPTIONS) == Invalid("ambiguous")


@pytest.mark.parametrize("head", ["E.g., ", "e.g. ", "For example:\n", "An example reply:\n"])
def test_nor_is_an_example(head: str) -> None:
    assert parse_verdict(f"{head}The answer is B with confidence 82.", OPTIONS) == Invalid("no_answer")
