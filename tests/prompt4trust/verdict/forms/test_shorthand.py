"""Abbreviations and roundabout sentences, put as the plain forms or left as they are."""

from __future__ import annotations

import time

import pytest

from prompt4trust.verdict import Invalid, Verdict, mark_self_assessments, parse_verdict
from prompt4trust.verdict.forms.shorthand import in_full


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("Ans: C\nConf: 84", "Answer: C\nConfidence: 84"),
        ("Answer => C\nConfidence => 84", "Answer: C\nConfidence: 84"),
        ("There's about a 70% chance that C is correct.", "The answer is C with confidence 70%."),
        ("The probability that option C is right is 0.84", "The answer is C with confidence 0.84"),
        ("C is correct with probability 0.84.", "The answer is C with confidence 0.84."),
        ("So C, and I'm fairly sure: 84%.", "So C, and confidence: 84%."),
        ("All things considered, C. 84% sure.", "The answer is C. 84% sure."),
    ],
)
def test_what_says_the_same_is_put_plainly(said: str, plain: str) -> None:
    assert in_full(said) == plain


@pytest.mark.parametrize(
    "said",
    [
        *["Prev. ans: C", "Non-ans: C", "Conf. int.: 84", "Req. conf: 84", "Confidence => 84"],
        *["There is a 16% chance that the answer is C.", "There is an 84% chance that the answer is C or B."],
        "There is a 60% chance that the answer is C. There is a 55% chance that the answer is B.",
        *["I'm not very sure: 84%.", "I'm very sure: 20%.", "I'm fairly sure: 84% stenosis.", "I'm sure: 84%"],
        *["Considering everything but C. 84% sure.", "Considering everything, C. 84% confidence is too much."],
    ],
)
def test_what_says_something_else_stays(said: str) -> None:
    assert in_full(said) == said


@pytest.mark.parametrize("said", ["No, 77", "Yes, 7", "Yes, 77?", "Yes, 77 mm", "Yes, 70-80"])
def test_yes_and_a_number_of_two_digits_are_a_verdict_and_nothing_near_it(said: str) -> None:
    options = {"A": "Yes", "B": "No"}
    assert parse_verdict("Yes, 77", options) == Verdict("A", 0.77)
    assert isinstance(parse_verdict(said, options), Invalid)
    assert in_full("Yes, 77", [*options.values(), "Perhaps"]) == "Yes, 77"


def test_a_question_that_abbreviates_a_verdict_leads_and_such_numbers_are_left_out_of_what_people_read() -> None:
    asked = {"options": {"A": "Mass", "B": "Cyst"}, "question": "Ans: B, Conf: 99. Agreed?"}
    assert parse_verdict("Answer: B. Confidence: 90", **asked) == Invalid("leading_question")  # type: ignore[arg-type]
    for said in ("Target confidence: 84", '{"confidence_percent": 84}', "Ans: C, Conf: 84", "Conf.: 84"):
        assert "84" not in mark_self_assessments(said), said
    assert mark_self_assessments("I'm fairly sure: 84%") == "I'm [unchecked: fairly sure]: [unchecked: 84%]"


@pytest.mark.parametrize(
    "piece", ["ans: ", "conf: 1", "Answer => ", "I'm very sure: ", "there is a 90% chance that ", "(", "yes, a "]
)
def test_time_is_linear_in_the_text(piece: str) -> None:
    def took(times: int) -> float:
        began = time.process_time()
        in_full(piece * times)
        return time.process_time() - began

    took(100)
    assert min(took(8_000) for _ in range(2)) < 40 * max(min(took(800) for _ in range(3)), 0.001)
