"""The letter before one option."""

from __future__ import annotations

import pytest

from prompt4trust.options.labels import label_of, without_own_letter


@pytest.mark.parametrize("text", ["Left", "AB: Left", "A", "A:", "A:: x", "A.) x", "1: x", "É: x", ""])
def test_what_begins_with_no_letter_of_its_own(text: str) -> None:
    assert label_of(text) is None


@pytest.mark.parametrize(
    ("letter", "text", "bare"),
    [
        ("A", "A: Lung", "Lung"),
        ("A", "A:Lung", "Lung"),
        ("A", "a : Lung", "Lung"),
        ("A", "A:", ""),
        ("B", "A: Lung", "A: Lung"),
        ("A", "A. baumannii", "A. baumannii"),
        ("A", "A) Lung", "A) Lung"),
        ("A", "Lung: A", "Lung: A"),
        ("A", "", ""),
    ],
)
def test_of_a_single_option_its_own_letter_and_a_colon_are_taken_off(letter: str, text: str, bare: str) -> None:
    assert without_own_letter(letter, text) == bare
