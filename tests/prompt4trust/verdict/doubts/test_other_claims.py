"""Confidences in the answer, and in something else."""

from __future__ import annotations

import pytest

from prompt4trust.verdict.confidences import stated_confidences
from prompt4trust.verdict.doubts.other_claims import is_of_another_claim

OPTIONS = {"A": "Splenic laceration", "C": "Liver cyst"}


def is_of_another(text: str, options: dict[str, str]) -> bool:
    stated = next(iter(stated_confidences(text, "per-cent")))
    return is_of_another_claim(text, stated.at, stated.end, "C", options)


@pytest.mark.parametrize(
    "text",
    [
        "I am 95% sure that this is a CT in the portal venous phase.",
        "I'm 95% confident it's a CT.",
        "With 95% confidence, this is an axial slice.",
        "This is a contrast-enhanced CT (95% certain).",
        "I am 95% certain about the modality.",
        "I am 95% sure of the organ.",
    ],
)
def test_it_is_one_in_something_else(text: str) -> None:
    assert is_of_another(text, OPTIONS)


@pytest.mark.parametrize(
    "text",
    [
        "I am 95% sure that this is a cyst of the liver.",
        "I am 95% sure.",
        "I'm 95% sure of it.",
        "I'm 95% confident in this diagnosis.",
        "I'm 95% confident because this is a CT.",
        "I'm 95% sure that it's C.",
        "Confidence: 95. This is a CT.",
    ],
)
def test_it_is_one_in_the_answer(text: str) -> None:
    assert not is_of_another(text, OPTIONS)


def test_of_an_option_without_a_text_only_words_of_the_picture_tell() -> None:
    assert is_of_another("I am 95% sure that this is a contrast-enhanced CT.", {"C": ""})
    assert not is_of_another("I am 95% sure that this is a cyst.", {"C": ""})
