"""Verdicts are taken back by a sentence that turns to another option, and not by one that explains."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from prompt4trust.verdict.doubts.corrections import is_taken_back

OPTIONS = {"A": "Pneumothorax", "B": "Pleural effusion", "C": "Consolidation", "D": "Normal"}
VERDICT = "Answer: B\nConfidence: 85\n"


@pytest.mark.parametrize(
    "said",
    [
        *["P.S. I would prefer D.", "No - D.", "Edit: D", "B cannot be right.", "Hmm, consolidation after all."],
        *["Not B, D.", "~~B~~ D", "Update: Normal", "Hmm, Normal fits better."],
        *["I now think it is C, but I have no idea how confident to be.", "I'd now say D.", "I'm now leaning to C."],
        *["Looking back, it might be consolidation.", "Now I believe it may not be B but C."],
    ],
)
def test_a_turn_takes_it_back(said: str) -> None:
    assert is_taken_back(f"{VERDICT}{said}", "B", 9, len(VERDICT), OPTIONS)
    assert parse_verdict(f"{VERDICT}{said}", OPTIONS) == Invalid("ambiguous")


@pytest.mark.parametrize(
    "said",
    [
        *["P.S. I meant D.", "Strike that.", "Scratch that", "Never mind.", "Ignore my answer.", "I made that up."],
        *[
            "None of this is right.",
            "The above is wrong.",
            "This was only an example of the format.",
            "Answer retracted.",
        ],
        *["I misread the image.", "Of course I cannot see any image.", "I no longer believe it is B.", "So no answer."],
    ],
)
def test_nor_does_a_verdict_stand_that_is_given_up(said: str) -> None:
    assert parse_verdict(f"{VERDICT}{said}", OPTIONS) == Invalid("ambiguous")
    assert parse_verdict(f"Answer: effusion. Confidence: 85\n{said}", ()) == Invalid("ambiguous")


@pytest.mark.parametrize(
    "said",
    [
        "D is less likely.",
        "A would show a line.",
        "No pneumothorax.",
        "A. No line.\nC. No air.",
        "B is better than C.",
        "I now think that C is unlikely.",
    ],
)
def test_an_explanation_does_not(said: str) -> None:
    assert parse_verdict(f"{VERDICT}{said}", OPTIONS) == Verdict("B", 0.85)


@pytest.mark.parametrize("behind", [" → D", " > C > A", ", sorry, D", " ❌"])
def test_nor_is_a_letter_read_that_goes_on_to_another(behind: str) -> None:
    assert isinstance(parse_verdict(f"Answer: B{behind}\nConfidence: 85", OPTIONS), Invalid)
