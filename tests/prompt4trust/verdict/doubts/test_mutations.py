"""Readable replies of the corpora with a sentence that takes them back, or a heading that makes them another's."""

from __future__ import annotations

import re

import pytest

from prompt4trust.verdict import Verdict, parse_verdict
from tests.prompt4trust.verdict.test_corpus import CORPUS, LATER

EVERY = 29
"""One of so many readable replies is changed in all ways."""
BEGINS = re.compile(r"[^\w\n{]*(?:(?:the|my|final|correct) )*(?:answer|confidence)\b", re.IGNORECASE)
REPLIES = [
    (case["reply"], case["reads"][0], each["options"][case.get("options", "chest")])
    for each in (CORPUS, *LATER.values())
    for case in each["cases"]
    if "reads" in case and not case.keys() & {"question", "scale", "order", "finish_reason"}
][::EVERY]
# Replies that begin with their verdict: reasons may stand between a heading and the verdict, and then it stands, as it
# does where it is repeated. Objects have rules of their own.
AT_ONCE = [each for each in REPLIES if BEGINS.match(each[0]) and each[0].lower().count("answer") == 1]
BEHIND = [
    *[
        "Correction: the answer is {x}.",
        "Wait, I meant {x}.",
        "P.S. Actually it is {x}.",
        "No, it's {x}.",
        "Korrektur: {x}",
    ],
    *["更正：{x}", "Corrección: {x}", "Исправление: {x}", "On second thought, {x}.", "Sorry, {x} is the right answer."],
    *["I take that back: {x}.", "I change my answer to {x}.", "Make that {x}.", "Strike the above; {x}.", "Edit: {x}"],
    *["Not {a}, {x}.", "{a} is wrong.", "~~{a}~~ {x}", "That was the student's answer; mine is {x}."],
    *[
        "Disregard the above.",
        "This was only an example of the format.",
        "The above is wrong.",
        "None of this is right.",
    ],
    *["I made that up.", "Of course I cannot see any image.", "Answer retracted.", "I no longer believe it is {a}."],
    *["Scrap that.", "Forget what I said.", "I misread the image.", "Ignore my answer.", "Let me start over."],
]
AHEAD = [
    *["The user wrote:", "Example of the format:", "A colleague replied as follows:", "An earlier draft read:"],
    *["Here is a sample output:", "This answer is wrong:", "What not to say:", "The previous model said:"],
    *["Suppose somebody answers:", "The report states:", "For instance:", "I would never write:", "Template:"],
    *["Incorrect:", "Student:", "Do not answer like this:", "Bad example:", "The following is not my answer:"],
]


def still_read(reply: str, answer: str, options: dict[str, str]) -> bool:
    verdict = parse_verdict(reply, options)
    return isinstance(verdict, Verdict) and verdict.answer == answer


HARMLESS_AHEAD = [
    *["Initial response:", "Imaging findings the radiologist reads:", "The model answers:", "In the requested format:"],
    *["As the question is not easy, I reason as follows:", "Here is my answer:", "My report states:", "Impression:"],
]
HARMLESS_BEHIND = [
    *["This is only an example of fat density.", "A cap is only a template artefact.", "I cannot see the scan's edge."],
    *["I do not see any images of the other view.", "The rim is made up of fat.", "Motion correction was applied."],
    *["By enlarged I mean a ratio above one half.", "A short film would make it 2 times as likely."],
    *["It has an edge that is not right-angled.", "One must not forget that the film is rotated."],
]


@pytest.mark.parametrize("said", BEHIND)
def test_a_verdict_does_not_stand_that_a_sentence_behind_takes_back(said: str) -> None:
    read = []
    for reply, answer, options in REPLIES:
        other = next(letter for letter in options if letter != answer)
        changed = f"{reply}\n{said.format(a=answer, x=other)}"
        read += [changed] if still_read(changed, answer, options) else []
    assert read == []


@pytest.mark.parametrize("said", AHEAD)
def test_nor_right_under_a_heading_that_makes_it_another_s(said: str) -> None:
    assert AT_ONCE
    assert [reply for reply, answer, options in AT_ONCE if still_read(f"{said}\n{reply}", answer, options)] == []


@pytest.mark.parametrize("said", HARMLESS_BEHIND)
def test_it_stands_ahead_of_an_explanation_in_the_same_words(said: str) -> None:
    assert [reply for reply, answer, options in AT_ONCE if not still_read(f"{reply}\n{said}", answer, options)] == []


@pytest.mark.parametrize("said", HARMLESS_AHEAD)
def test_and_under_a_heading_of_the_model_s_own(said: str) -> None:
    assert [reply for reply, answer, options in AT_ONCE if not still_read(f"{said}\n{reply}", answer, options)] == []
