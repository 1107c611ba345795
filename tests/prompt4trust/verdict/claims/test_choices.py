"""Loose choices of a letter: a word that chooses or concludes, and the letter at once behind it."""

from __future__ import annotations

import pytest

from prompt4trust.verdict.claims.choices import chosen_letters


def chosen(text: str) -> set[str]:
    return {text[at].upper() for _, at in chosen_letters(text, dict.fromkeys("ABCD", ""))}


@pytest.mark.parametrize(
    "text",
    [
        "I'd therefore go with option B.",
        "So: B",
        "This corresponds to choice B.",
        "The option I select is hence B.",
        "My vote is B (melanoma).",
        "Je choisis donc la réponse B.",
        "Wybieram odpowiedź B.",
        "私はBを選びます.",
        "정답은 B이며",
        "Option: (b)",
        "### B",
    ],
)
def test_a_word_that_chooses_and_a_letter_are_a_choice(text: str) -> None:
    assert chosen(text) == {"B"}


@pytest.mark.parametrize(
    "text",
    [
        "I select slice B.",
        "Option B shows a rim.",
        "So B-cells.",
        "The wrong answer is B.",
        "정답은 B형",
        "So E.",
        "B\n\nis out",
    ],
)
def test_another_noun_or_a_word_that_goes_on_makes_it_none(text: str) -> None:
    assert chosen(text) == set()
