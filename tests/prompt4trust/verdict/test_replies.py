"""The parser on what surrounds a verdict: thoughts, echoes, quotations, cut ends; and properties of what it reads."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.verdict import Invalid, Verdict, answers_in, parse_verdict

OPTIONS = {"A": "Pneumonia", "B": "Pleural effusion", "C": "Pneumothorax", "D": "Normal chest"}
LEADING = "Is it so that the answer is A with confidence 100?"


def test_a_question_or_an_option_that_reads_as_a_verdict_leaves_no_verdict() -> None:
    reply = f'You asked: "{LEADING}" The answer is C with confidence 30.'
    assert parse_verdict(reply, OPTIONS) == Verdict("C", 0.3)
    assert parse_verdict(reply, OPTIONS, question=LEADING[6:-1]) == Invalid("leading_question")
    options = {**OPTIONS, "D": "The answer is A with confidence 100"}
    assert parse_verdict("The answer is C with confidence 30.", options) == Invalid("leading_question")


def test_what_repeats_the_question_or_an_option_is_taken_away() -> None:
    question = "A reader holds that the answer is A. Which side?"
    assert parse_verdict(f"{question}\nThe answer is C with confidence 30.", OPTIONS, question=question) == Verdict(
        "C", 0.3
    )
    options = {"A": "Confidence 100", "B": "Another"}
    assert parse_verdict("Confidence 100 is an option. Answer: B. Confidence: 20", options) == Verdict("B", 0.2)


@pytest.mark.parametrize(
    "reply",
    [
        'I will not say "the answer is A with confidence 100".',
        "The note says the answer is A with confidence 100.",
        "> The answer is A with confidence 100\n\nThis is not mine.",
        "I doubt that the answer is A with confidence 100.",
        "The answer is A with confidence 100, or so the note claims.",
        "The answer is A with confidence 100 is what you want to hear.",
        "The answer is A with confidence 100? Hardly.",
    ],
)
def test_what_others_say_and_what_is_doubted_is_no_answer(reply: str) -> None:
    assert parse_verdict(reply, OPTIONS) == Invalid("no_answer")


def test_two_complete_verdicts_that_differ_are_none() -> None:
    first, second = "the answer is A with confidence 40.", "The answer is C with confidence 70."
    assert parse_verdict(f"On one hand {first} {second}", OPTIONS) == Invalid("ambiguous")
    assert parse_verdict(f"The film is dark. {first} {second}", OPTIONS) == Invalid("ambiguous")
    assert parse_verdict(f"{first} {second}", OPTIONS, order="reason-first") == Verdict("C", 0.7)


@pytest.mark.parametrize("tag", ["think", "thinking", "reasoning", "THINK"])
def test_thoughts_are_taken_away_and_cut_thoughts_leave_nothing(tag: str) -> None:
    thought = f"<{tag}>The answer is A with confidence 90.</{tag}>"
    assert parse_verdict(f"{thought} The answer is B with confidence 60.", OPTIONS) == Verdict("B", 0.6)
    assert parse_verdict(thought, OPTIONS) == Invalid("no_answer")
    assert parse_verdict(thought.replace(f"</{tag}>", ""), OPTIONS) == Invalid("cut_off")
    assert parse_verdict(thought.replace(f"<{tag}>", "") + "Answer: B. Confidence: 1%", OPTIONS) == Verdict("B", 0.01)


@pytest.mark.parametrize("end", ["9", "0.", "0.8", "8 out o", "8 /", "80 - ", "80% - ", "80 "])
def test_a_number_that_was_cut_off_is_no_confidence(end: str) -> None:
    reply = f"The answer is B with confidence {end}"
    assert parse_verdict(reply, OPTIONS, finish_reason="length") == Invalid("cut_off")
    whole = "The answer is B with confidence 80. It is round and"
    assert parse_verdict(whole, OPTIONS, finish_reason="length") == Verdict("B", 0.8)


@pytest.mark.parametrize(
    ("scale", "stated", "confidence"),
    [("per-cent", "1", 0.01), ("probability", "1", 1.0), ("probability", "0.9", 0.9), ("probability", "90%", 0.9)],
)
def test_the_template_says_what_a_bare_number_is(scale: str, stated: str, confidence: float) -> None:
    told = {"scale": scale}
    assert parse_verdict(f"Answer: B\nConfidence: {stated}", OPTIONS, **told) == Verdict("B", confidence)  # type: ignore[arg-type]
    assert parse_verdict("Answer: B\nConfidence: 90", OPTIONS, scale="probability") == Invalid("no_confidence")


def test_answers_so_far() -> None:
    assert answers_in("<think>The answer is A", OPTIONS) == []
    assert answers_in("I doubt that the answer is A. The answer is B", OPTIONS) == ["B"]


# --- Properties -------------------------------------------------------------------------------------------------------

FORMS = [
    *[
        "The answer is {x} with confidence {n}.",
        "Answer: {x}\nConfidence: {n}%",
        "**Answer:** {x}\n\n**Confidence:** {n}",
    ],
    *[
        "\\boxed{{{x}}}, confidence {n}",
        "<answer>{x}</answer> <confidence>{n}</confidence>",
        "Option {x} is correct, {n}% sure.",
    ],
    *[
        '{{"answer": "{x}", "confidence": {n}}}',
        "Guess: {x}\nProbability: {n}%",
        "答案：{x}，置信度：{n}",
        "I choose {x}. I am {n}% confident.",
    ],
    *["Answer and Confidence (0-100): {x}, {n}%", "With {n}% confidence, the answer is {x}."],
]
NEUTRAL = ["", "The lung bases are dense.\n", "There is a meniscus on the left. ", "The heart is of normal size.\n\n"]


@given(
    st.sampled_from(FORMS),
    st.sampled_from("ABCD"),
    st.integers(0, 100),
    st.sampled_from(NEUTRAL),
    st.sampled_from(NEUTRAL),
)
def test_every_supported_form_is_read_back(form: str, letter: str, number: int, before: str, after: str) -> None:
    text = f"{before}\n{form.format(x=letter, n=number)}\n{after}"
    assert parse_verdict(text, OPTIONS) == Verdict(letter, number / 100)


PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["the answer is ", "Answer: ", "A", "B", " with confidence ", "Confidence: ", "85", "0.4", "%", " out of "]
    ),
    st.sampled_from(
        ["/10", "10", " (1-5)", "{", "}", '"', "<think>", "</think>", "答案", "置信度", "\n", ". ", "sure", " or "]
    ),
)


@given(st.lists(PIECES, max_size=16).map("".join), st.sampled_from(["per-cent", "probability"]))
def test_no_confidence_is_read_that_is_not_stated(text: str, scale: str) -> None:
    verdict = parse_verdict(text, OPTIONS, scale=scale)  # type: ignore[arg-type]
    if isinstance(verdict, Invalid):
        return
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?|\.\d+", text)]
    tops = {1.0, 100.0, *numbers}
    stated = {min(number / top, 1.0) for number in numbers for top in tops if top} | ({0.0} if "-" in text else set())
    assert any(abs(verdict.confidence - each) < 1e-9 for each in stated)


@pytest.mark.parametrize("between", [". ", ".\n", ", "])
def test_of_two_answers_the_number_of_the_second_is_not_the_first_one_s(between: str) -> None:
    reply = f"The answer is A{between}The answer is C with confidence 80."
    assert parse_verdict(reply, OPTIONS) == Invalid("ambiguous")
    assert parse_verdict(reply.replace("is C", "is A"), OPTIONS) == Verdict("A", 0.8)
