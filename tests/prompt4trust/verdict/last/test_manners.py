"""Signs of doubt anywhere in a reply, and courtesies that are none."""

from __future__ import annotations

import pytest

from prompt4trust.verdict.last.manners import is_doubted, is_of_the_image, is_open, without_courtesies


@pytest.mark.parametrize(
    "text", ["It depends.", "The key says B.", "Is it B?", "For example: B.", "B, with", "Actually, B."]
)
def test_doubt_others_questions_and_unfinished_ends_count_anywhere(text: str) -> None:
    assert is_doubted(text, 0)


def test_a_but_counts_behind_the_choice_alone() -> None:
    assert is_doubted("I choose B, but it is faint.", 0)
    assert not is_doubted("It is faint, but I choose B.", 16)


@pytest.mark.parametrize("sentence", ["B or C.", "Nie B.", "B değil.", "不选B", "B가 아닙니다.", "Peut-être B."])
def test_a_sentence_that_weighs_or_denies_is_open(sentence: str) -> None:
    assert is_open(sentence)
    assert not is_open("Wybieram B.")


def test_a_confidence_may_be_in_the_image() -> None:
    assert is_of_the_image("Pewność co do obrazu: 80%")
    assert not is_of_the_image("Pewność: 80%")


def test_salutations_and_advice_are_taken_away() -> None:
    assert without_courtesies("Dear colleague,\nB. This is not medical advice.").strip() == "B."
    assert without_courtesies("The physician said B.") == "The physician said B."
