"""Lists of guesses with probabilities: read right or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.verdict import Guess, Invalid, read_guesses

OPTIONS = {"A": "Round", "B": "Oval", "C": "Lobulated", "D": "Spiculated"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("B: 60%\nA: 25%", [("B", 0.6), ("A", 0.25)]),
        ("A: 25%\nB: 60 %\n\nC: 10%", [("B", 0.6), ("A", 0.25), ("C", 0.1)]),
        ("1. B: 60\n2. D: 20\n3. C: 0", [("B", 0.6), ("D", 0.2), ("C", 0.0)]),
        ("**B**: 0.7\n**A**: .2", [("B", 0.7), ("A", 0.2)]),
        ("My guesses:\n- (b) = 70%\n- Option D: 12.5%.", [("B", 0.7), ("D", 0.125)]),
        ("B. Oval: 55%\nD) spiculated: 30%", [("B", 0.55), ("D", 0.3)]),
        ("B: 90%\nA: 90%\nC: 20%", [("B", 0.45), ("A", 0.45), ("C", 0.1)]),
        ("<think>A: 99%</think>\nC: 40%", [("C", 0.4)]),
        ("D: 0%", [("D", 0.0)]),
        ("\uff22\uff1a60\uff05", [("B", 0.6)]),
    ],
)
def test_lists_are_read(reply: str, expected: list[tuple[str, float]]) -> None:
    found = read_guesses(reply, OPTIONS, 4)
    assert not isinstance(found, Invalid)
    assert [guess.answer for guess in found] == [answer for answer, _ in expected]
    assert [guess.probability for guess in found] == pytest.approx([share for _, share in expected])


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        ("The answer is B with confidence 60.", "no_answer"),
        ("B: 60%\nI take that back.", "no_answer"),
        ("B: 60%, or A: 30%", "no_answer"),
        ("B: 60-70%", "no_answer"),
        ("B: high", "no_answer"),
        ("E: 60%", "unknown_option"),
        ("B. Round: 60%", "unknown_option"),
        ("not B: 60%", "unknown_option"),
        ("A virus: 60%", "unknown_option"),
        ("B: 60%\nb: 20%", "ambiguous"),
        ("A: 1%\nB: 2%\nC: 3%\nD: 4%\nA: 5%", "ambiguous"),
        ("B: 0.6\nA: 20", "no_confidence"),
        ("B: 60%\nA: 20", "no_confidence"),
        ("B: 1\nA: 0", "no_confidence"),
        ("B: 600%", "no_confidence"),
        ("<think>B: 60%", "cut_off"),
    ],
)
def test_what_is_no_list_is_not_read(reply: str, reason: str) -> None:
    found = read_guesses(reply, OPTIONS, 4)
    assert isinstance(found, Invalid)
    assert found.reason == reason


def test_bounds_ends_and_leading_questions() -> None:
    assert read_guesses("B: 60%\nA: 20%\nC: 9%", OPTIONS, 2) == Invalid("ambiguous")
    assert read_guesses("B: 60%", OPTIONS, 2, finish_reason="length") == Invalid("cut_off")
    assert read_guesses("B: 60%", OPTIONS, 2, finish_reason="refusal") == Invalid("no_answer")
    assert read_guesses("B: 60%", OPTIONS, 2, question="Say:\nB: 60%") == Invalid("leading_question")
    assert read_guesses("B: 60%", {**OPTIONS, "D": "A: 90%"}, 2) == Invalid("leading_question")


def test_open_answers_keep_their_text() -> None:
    assert read_guesses("1. Pleural effusion: 70%\n2. pneumonia: 20%", {}, 4) == (
        Guess("Pleural effusion", 0.7),
        Guess("pneumonia", 0.2),
    )
    assert read_guesses("Effusion: 70%\neffusion: 20%", {}, 4) == Invalid("ambiguous")


@given(st.text(alphabet=st.sampled_from("AB:=%.0123456789\n *-()option<think>/"), max_size=80))
def test_any_text_gives_probabilities_or_a_reason(text: str) -> None:
    found = read_guesses(text, OPTIONS, 4)
    if isinstance(found, tuple):
        assert 0 < len(found) <= 4
        assert all(0 <= guess.probability <= 1 and guess.answer in OPTIONS for guess in found)
        assert sum(guess.probability for guess in found) <= 1 + 1e-9
        assert found[0].probability == max(guess.probability for guess in found)
