"""Letters that options bear in their own texts."""

from __future__ import annotations

import pytest

from prompt4trust.option_letters import borne_letters, without_letters


@pytest.mark.parametrize(
    ("texts", "letters", "bare"),
    [
        (["A: x", "B: y"], "AB", ["x", "y"]),
        (["(B) x", "(A) y"], "BA", None),
        (["[A] x", "[B] y"], "AB", ["x", "y"]),
        (["A) x", "B) y", "C) z"], "ABC", ["x", "y", "z"]),
        (["A. x", "B. y", "C. z"], "ABC", ["x", "y", "z"]),
        (["C. Left", "A. Right", "B. Both"], "CAB", None),
        (["A:x", "B:y\nz"], "AB", ["x", "y\nz"]),
        # one mark, letters from A on, of all options, in capitals; else they are the options' own words
        (["A: x", "B) y"], None, ["A: x", "B) y"]),
        (["A: x", "y"], None, ["A: x", "y"]),
        (["B: x", "C: y"], None, ["B: x", "C: y"]),
        (["T: x", "N: y"], None, ["T: x", "N: y"]),
        (["A: x", "A: y"], None, ["A: x", "A: y"]),
        (["a: x", "b: y"], None, ["a: x", "b: y"]),
        (["A", "B"], None, ["A", "B"]),
        (["A:", "B:"], None, ["A:", "B:"]),
        (["A.x", "B.y", "C.z"], None, ["A.x", "B.y", "C.z"]),
        # species
        (["A. baumannii", "B. fragilis"], None, ["A. baumannii", "B. fragilis"]),
        (["B. fragilis", "A. baumannii", "C. difficile"], None, ["B. fragilis", "A. baumannii", "C. difficile"]),
        ([], None, []),
    ],
)
def test_letters(texts: list[str], letters: str | None, bare: list[str] | None) -> None:
    assert (borne_letters(texts), without_letters(texts)) == (letters, bare)
