"""Readable replies of the corpora with a sentence that takes them back, or a heading that makes them another's."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Verdict, parse_verdict
from tests.prompt4trust.verdict.test_corpus import CORPUS, LATER

EVERY = 29
"""One of so many readable replies is changed in all ways."""
REPLIES = [
    (case["reply"], case["reads"][0], each["options"][case.get("options", "chest")])
    for each in (CORPUS, *LATER.values())
    for case in each["cases"]
    if "reads" in case and not case.keys() & {"question", "scale", "order", "finish_reason"}
][::EVERY]
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


@pytest.mark.parametrize("said", BEHIND)
def test_a_verdict_does_not_stand_that_a_sentence_behind_takes_back(said: str) -> None:
    read = []
    for reply, answer, options in REPLIES:
        other = next(letter for letter in options if letter != answer)
        changed = f"{reply}\n{said.format(a=answer, x=other)}"
        read += [changed] if still_read(changed, answer, options) else []
    assert len(read) <= 0.05 * len(REPLIES), read


@pytest.mark.parametrize("said", AHEAD)
def test_nor_under_a_heading_that_makes_it_another_s(said: str) -> None:
    read = [reply for reply, answer, options in REPLIES if still_read(f"{said}\n{reply}", answer, options)]
    # A list of the options, or reasons, may stand between the heading and the verdict.
    assert len(read) <= 0.2 * len(REPLIES), read
