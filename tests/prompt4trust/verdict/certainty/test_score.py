"""Words of certainty as a number."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.estimators import get_estimator
from prompt4trust.models import Sampling
from prompt4trust.verdict import Verdict, certainty_score
from prompt4trust.verdict.certainty.self_assessment import LONGEST, SelfAssessment, self_assessments
from tests.prompt4trust.estimators.scripts import OPTIONS, TEMPLATE, Texts

module = sys.modules[certainty_score.__module__]
TOLD = [
    ("The answer is clearly B.", 0.97),
    ("I am absolutely certain that it is B.", 0.97),
    ("The answer is B without any doubt.", 0.97),
    ("I am confident. The answer is B.", 0.85),
    ("The answer is very likely B.", 0.85),
    ("My confidence is high. The answer is B.", 0.85),
    ("The answer is probably B.", 0.7),
    ("The answer is possibly B.", 0.45),
    ("I am not sure. The answer is B.", 0.15),
    ("I am not very confident. The answer is B.", 0.15),
    ("The answer is unlikely to be B.", 0.15),
    ("My confidence is low. The answer is B.", 0.15),
    ("I am certain of the mass. The answer is perhaps B.", (0.97 + 0.45) / 2),
]


@pytest.mark.parametrize(("text", "expected"), TOLD)
def test_words_have_values(text: str, expected: float) -> None:
    assert certainty_score(text, OPTIONS) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The answer is B with confidence 80.",
        "The answer is B. There is a possible fracture elsewhere.",
        "The answer is B. Clearly defined margins.",
    ],
)
def test_no_words_are_no_number(text: str) -> None:
    assert certainty_score(text, OPTIONS) is None


@pytest.mark.parametrize(
    "text",
    [
        "<think>I am certain that it is A.</think>The answer is B.",
        "<think>I am certain that it is B.",
        "The answer is clearly not A. B",
        "The answer is clearly not A but B.",
        "The answer is definitely not round. The answer is B.",
        "Option A is clearly wrong. The answer is B.",
        "I think A is unlikely. The answer is B.",
        "What is the most likely diagnosis? The answer is B.",
        "The most likely diagnosis is B.",
        "The answer is B: a possible mass.",
    ],
)
def test_thoughts_denials_and_echoes_do_not_count(text: str) -> None:
    options = {"A": "Round", "B": "A possible mass", "C": "Lobulated"}
    assert certainty_score(text, options, "B", "What is the most likely diagnosis?") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The answer is B, and I am certain that it is oval.", 0.97),
        ("I am certain that it is oval, not round.", 0.97),
        ("A mass is seen and I am sure of it. The answer is B.", 0.97),
        ("The answer is not clearly B.", 0.15),
        ("İ" * 50 + " The answer is clearly B.", 0.97),  # its lower case has two signs
        ("The **answer** is   clearly B.", 0.97),
    ],
)
def test_words_for_the_answer_count_wherever_they_stand(text: str, expected: float) -> None:
    options = {"A": "Round", "B": "Oval", "C": "Lobulated"}
    assert certainty_score(text, options, "B", "Which shape?") == pytest.approx(expected)


def test_what_lies_beyond_what_anybody_reads_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def measured(text: str, options: Mapping[str, str]) -> list[SelfAssessment]:
        lengths.append(len(text))
        return self_assessments(text, options)

    monkeypatch.setattr(module, "self_assessments", measured)
    assert certainty_score("I am certain. " + "a " * 500_000 + "I am not sure.", OPTIONS) == 0.97
    assert lengths == [LONGEST]


def test_the_time_it_takes_grows_no_faster_than_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0

    class Counted:
        """A place of words that counts how often it is looked at."""

        kind = "words"

        def __init__(self, start: int, end: int) -> None:
            self._start, self.end = start, end

        @property
        def start(self) -> int:
            nonlocal looked_at
            looked_at += 1
            return self._start

    said = "I am certain. "
    places = [Counted(at + 5, at + 12) for at in range(0, 500 * len(said), len(said))]
    monkeypatch.setattr(module, "self_assessments", lambda *_: places)
    assert certainty_score(said * 500, OPTIONS) == pytest.approx(0.97)
    assert looked_at <= 2 * len(places)


@given(st.lists(st.sampled_from([text for text, _ in TOLD] + ["A mass.", "\n", "Likely."]), max_size=6))
def test_a_score_is_a_mean_of_values(texts: list[str]) -> None:
    found = certainty_score(" ".join(texts), OPTIONS)
    assert found is None or 0.15 - 1e-9 <= found <= 0.97 + 1e-9


async def test_single_replies_carry_it_where_they_say_so() -> None:
    said = "The answer is B with confidence 80. I am not sure."
    estimator = get_estimator(
        "verbalized", Texts([said, "The answer is B with confidence 80."]), None, TEMPLATE, Sampling()
    )
    answer = await estimator.answer("Shape?", OPTIONS, None)
    assert (answer.verdict, answer.signals) == (Verdict("B", 0.8), {"words_certainty": 0.15})
    assert (await estimator.answer("Shape?", OPTIONS, None)).signals == {}
