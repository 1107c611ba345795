"""Confidences told in sentences of their own are put as labels; those that go on, or are another's, stay."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from prompt4trust.verdict.forms.spoken_confidences import with_spoken_confidences
from tests.prompt4trust.growth import takes_linear_time

OPTIONS = {"A": "Drusen", "B": "Exudates", "C": "Haemorrhage"}


@pytest.mark.parametrize(
    ("said", "confidence"),
    [
        ("How sure am I? 82%.", 0.82),
        ("Were you to ask me how certain I am, I would say 73 %.", 0.73),
        ("And how confident are you, from 0 to 100?\n79.", 0.79),
        ("I'd bet 95% on it.", 0.95),
        ("Self-assessed probability that this answer is right: 0.88", 0.88),
        ("I lower my confidence to 65%.", 0.65),
        ("Confidence first, as you asked: 72.", 0.72),
    ],
)
def test_a_confidence_in_a_sentence_of_its_own(said: str, confidence: float) -> None:
    assert parse_verdict(f"The answer is B. {said}", OPTIONS) == Verdict("B", confidence)


@pytest.mark.parametrize(
    "said",
    [
        *["How sure am I? 82%? Hmm.", "How sure am I: 60 to 82%.", "How sure was I? 82%.", "How sure is she? 82%."],
        *["I'd bet 95% on it being wrong.", "I'd bet 95% on C.", "I would lower my confidence to 65%."],
        *["The probability that this answer is wrong: 0.88", "How sure am I? 82% - no, 40%."],
    ],
)
def test_none_that_goes_on_or_is_of_something_else(said: str) -> None:
    assert isinstance(parse_verdict(f"The answer is B. {said}", OPTIONS), Invalid)


@pytest.mark.parametrize(
    ("reply", "on_per_cents", "on_probabilities"),
    [
        ("The answer is B. I set my confidence to 1.0.", 1.0, 1.0),
        ("The answer is B. Probability that this answer is right: 1.0", 1.0, 1.0),
        ("Confidence first: 1.0. The answer is B.", 1.0, 1.0),
        ("The answer is B. I keep my confidence at 1.00", 1.0, 1.0),
        ("The answer is B. I raise my confidence to 1.", 0.01, 1.0),
        ("The answer is B. I raise my confidence to 85%.", 0.85, 0.85),
        ("The answer is B. I raise my confidence to 85.", 0.85, None),
    ],
)
def test_a_number_with_no_unit_is_on_the_asked_scale(
    reply: str, on_per_cents: float, on_probabilities: float | None
) -> None:
    assert parse_verdict(reply, OPTIONS, scale="per-cent") == Verdict("B", on_per_cents)
    read = parse_verdict(reply, OPTIONS, scale="probability")
    assert (read.confidence if isinstance(read, Verdict) else None) == on_probabilities


@pytest.mark.parametrize(
    "habit", ["If unsure, I lower my confidence to 30.", "In training, I set my confidence to 90."]
)
def test_a_habit_is_no_confidence_in_this_answer(habit: str) -> None:
    assert isinstance(parse_verdict(f"The answer is B. {habit}", OPTIONS), Invalid)


@pytest.mark.parametrize("between", [" ", "\n"])
@pytest.mark.parametrize("look", ["On closer look ", ""])
def test_a_confidence_lowered_behind_another_takes_that_back(look: str, between: str) -> None:
    reply = f"Answer: B. Confidence: 90.{between}{look}I lower my confidence to 60."
    assert parse_verdict(reply, OPTIONS) == Invalid("ambiguous")


def test_a_text_without_any_stays_as_it_was_and_reading_takes_linear_time() -> None:
    assert with_spoken_confidences("Answer: B. Confidence: 80") == "Answer: B. Confidence: 80"
    for part in ("how sure am I? ", "I lower my confidence to ", "probability that this answer is ", "and how sure, "):
        assert takes_linear_time(with_spoken_confidences, part, 1_000)
