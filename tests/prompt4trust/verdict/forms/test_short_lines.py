"""Lines of an option and a number, put as the lines that they stand for."""

from __future__ import annotations

import pytest

from prompt4trust.verdict.forms.short_lines import with_short_lines

OPTIONS = {"A": "Cyst", "B": "Mass"}
LINES = "Answer: B\nConfidence: 70"


@pytest.mark.parametrize(
    "text", ["B, 70", "b 70", "B. 70", "(B), 70", "B (70)", "answer,confidence\nB,70", "B. Mass\n70"]
)
def test_a_whole_reply_is_labelled(text: str) -> None:
    assert with_short_lines(text, OPTIONS) == LINES


def test_so_is_the_one_line_that_opens_or_ends_it_or_has_a_label() -> None:
    assert with_short_lines("B, 70\nIt is solid.", OPTIONS) == f"{LINES}\nIt is solid."
    assert with_short_lines("It is solid.\nB, 70", OPTIONS) == f"It is solid.\n{LINES}"
    assert with_short_lines("Solid.\nFinal answer: B, 70\nSee a doctor.", OPTIONS) == f"Solid.\n{LINES}\nSee a doctor."
    assert with_short_lines("Solid.\nB: Mass\nConfidence: 70", OPTIONS) == f"Solid.\n{LINES}"


@pytest.mark.parametrize(
    "text",
    [
        *("A, 40\nB, 60", "B 7", "B 12", "B, 170", "Ruled out:\nB, 70", "Not this:\nB: Mass\nConfidence: 70"),
        *("A: Cyst\nB: Mass\nConfidence: 70", "C, 70", "It is solid.\nB, 70\nIt is large."),
    ],
)
def test_any_other_stays_as_it_was(text: str) -> None:
    assert with_short_lines(text, OPTIONS) == text


def test_a_number_that_may_be_an_option_is_none() -> None:
    assert with_short_lines("B, 88", {"A": "87", "B": "88"}) == "B, 88"
