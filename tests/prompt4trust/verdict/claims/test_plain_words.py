"""Answers in the question's words: yes or no with a sentence that agrees, and a number that is an option's text."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from prompt4trust.verdict.claims.plain_words import claims_in_plain_words

YES = {"A": "Yes", "B": "No"}
COUNT = {"A": "2", "B": "3", "C": "4"}


@pytest.mark.parametrize(
    "sure", [". Confidence: 80%", ". I am 80% confident.", "\nConfidence: 80", ". My confidence is 80."]
)
def test_a_sentence_that_agrees_is_read_with_its_first_word(sure: str) -> None:
    assert parse_verdict(f"Yes, there is cardiomegaly{sure}", YES) == Verdict("A", 0.8)
    assert parse_verdict(f"No, there are no fractures, effusions or masses{sure}", YES) == Verdict("B", 0.8)


@pytest.mark.parametrize(
    "said",
    [
        *["Yes, there is no fracture", "No, there is a fracture", "Yes, there is a fracture, but it is old"],
        *["No, there is no doubt that it is broken", "Yes, there is an image attached", "No, there is no image"],
        *["Yes, there is cardiomegaly or an effusion", "No, there is no fracture, however it is rotated"],
    ],
)
def test_one_that_contradicts_or_speaks_of_something_else_is_not(said: str) -> None:
    assert parse_verdict(f"{said}. Confidence: 80", YES) == Invalid("no_answer")


def test_nor_are_they_where_there_is_a_third_option() -> None:
    options = {**YES, "C": "Cannot be told"}
    assert parse_verdict("Yes, there is cardiomegaly. Confidence: 80", options) == Invalid("no_answer")


def test_a_number_is_the_text_and_not_the_place_of_an_option() -> None:
    assert parse_verdict("Answer: 3\nConfidence: 60", COUNT) == Verdict("B", 0.6)
    assert [claim.answer for claim in claims_in_plain_words("Answer: 2\nAnswer: 4", COUNT)] == ["A", "C"]


@pytest.mark.parametrize("options", [{"A": "1 cm", "B": "3"}, {"1": "2", "2": "3"}, {"A": "3", "B": "3"}])
def test_no_number_is_read_where_it_could_be_something_else(options: dict[str, str]) -> None:
    assert list(claims_in_plain_words("Answer: 3", options)) == []
