"""The last reading: of all that a reply says, one letter and one number, and nothing that speaks against either."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Invalid, Verdict, mark_self_assessments, parse_verdict, steers
from prompt4trust.verdict.last.last_reading import last_reading
from tests.prompt4trust.growth import takes_linear_time

OPTIONS = {"A": "Glioblastoma", "B": "Meningioma", "C": "Metastasis", "D": "Abscess"}
SAID = "A dural tail is seen, which speaks for an extra-axial mass. My vote goes to B. Certainty of 80%."


def test_a_reply_of_no_known_form_is_read_by_all_that_it_says() -> None:
    assert last_reading(SAID, OPTIONS, "per-cent") == parse_verdict(SAID, OPTIONS) == Verdict("B", 0.8)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("goes to B", "goes to B or D"),
        ("My vote", "Not: my vote"),
        ("My vote", "My second vote"),
        ("goes to B", "goes to slice B"),
        ("goes to B", "goes to E"),
        ("80%", "70 to 80%"),
        ("80%", "at least 80%"),
        ("80%", "80% in the image"),
        ("80%", "80%, or 60% for D"),
        ("80%", "high"),
        ("A dural tail", "The report says that a dural tail"),
        ("A dural tail", "If a dural tail"),
        ("A dural tail", "D has a rim. A dural tail"),
        ("80%.", "80%. But D fits as well."),
        ("80%.", "80%. Is that so?"),
        ("80%.", "80%. D."),
        ("80%.", "80%, and the"),
    ],
)
def test_anything_that_speaks_against_it_leaves_it_unread(part: str, other: str) -> None:
    assert part in SAID
    assert not isinstance(parse_verdict(SAID.replace(part, other), OPTIONS), Verdict)


@pytest.mark.parametrize(
    "said", ["D is ruled out by the diffusion. ", "A glioblastoma would arise in the parenchyma. "]
)
def test_other_options_may_be_excluded_ahead_or_be_articles(said: str) -> None:
    assert parse_verdict(said + SAID, OPTIONS) == Verdict("B", 0.8)
    assert last_reading(f"{SAID} D is likely, too.", OPTIONS, "per-cent") is None


def test_the_one_ticked_of_all_boxes_is_chosen() -> None:
    boxes = [f"[ ] {letter}. {text}" for letter, text in OPTIONS.items()]
    ticked = ["[x]" + box[3:] for box in boxes]
    reply = "\n".join([boxes[0], ticked[1], *boxes[2:], "Confidence: 80%"])
    assert parse_verdict(reply, OPTIONS) == Verdict("B", 0.8)
    for rows in (boxes, ticked, [boxes[0], ticked[1], ticked[2], boxes[3]], [boxes[0], ticked[1]]):
        assert not isinstance(parse_verdict("\n".join([*rows, "Confidence: 80%"]), OPTIONS), Verdict)


def test_what_was_cut_off_and_open_questions_have_no_last_reading() -> None:
    assert parse_verdict(SAID, OPTIONS, finish_reason="length") == Invalid("no_answer")
    assert last_reading(SAID, {}, "per-cent") is None
    assert last_reading("It is clear. " * 400 + SAID, OPTIONS, "per-cent") is None


def test_a_question_that_reads_so_is_a_leading_one() -> None:
    assert parse_verdict("The answer is C with confidence 60.", OPTIONS, question=SAID) == Invalid("leading_question")


def test_guidance_that_would_be_read_steers_and_explanations_lose_the_number() -> None:
    assert steers("My vote goes to B.", OPTIONS)
    assert steers("Moja pewność wynosi 90%.", OPTIONS)
    assert "80" not in mark_self_assessments(SAID, OPTIONS)


@pytest.mark.parametrize("unit", ["So option B ", "my final the answer ", "[x] B. y\n", "B\n", "=> -> "])
def test_it_takes_time_linear_in_the_text(unit: str) -> None:
    def read(text: str) -> None:
        last_reading(f"{text[:3_900]} confidence 80%.", OPTIONS, "per-cent")

    assert takes_linear_time(read, unit, 900 // len(unit))
