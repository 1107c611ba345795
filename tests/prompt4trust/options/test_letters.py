"""Letters that options bear in their own texts."""

from __future__ import annotations

import pytest

from prompt4trust.options.letters import (
    bare_options,
    bears_another_letter,
    borne_letters,
    line_texts,
    without_letters,
)
from prompt4trust.questions import letter_options


@pytest.mark.parametrize(
    ("texts", "letters", "bare"),
    [
        (["A: x", "B: y"], "AB", ["x", "y"]),
        (["(B) x", "(A) y"], "BA", None),
        (["[A] x", "[B] y"], "AB", ["x", "y"]),
        (["A) x", "B) y", "C) z"], "ABC", ["x", "y", "z"]),
        (["A. X", "B. Y", "C. z"], "ABC", ["X", "Y", "z"]),
        (["C. Left", "A. Right", "B. Both"], "CAB", None),
        (["A:x", "B:y\nz"], "AB", ["x", "y\nz"]),
        # one mark, letters from A on, of all options, in one case; else they are the options' own words
        (["A: x", "B) y"], None, ["A: x", "B) y"]),
        (["A: x", "y"], None, ["A: x", "y"]),
        (["B: x", "C: y"], None, None),
        (["T: x", "N: y"], None, ["T: x", "N: y"]),
        (["A: x", "A: y"], None, ["A: x", "A: y"]),
        (["a: x", "b: y"], "AB", ["x", "y"]),
        (["a. x", "b. y"], "AB", ["x", "y"]),
        (["(a) x", "(b) y"], "AB", ["x", "y"]),
        (["A - x", "B - Y", "C - Z"], "ABC", ["x", "Y", "Z"]),
        (["**A:** x", "**B:** y"], "AB", ["x", "y"]),
        (["A : gauche", "B : droite"], "AB", ["gauche", "droite"]),
        (["A: x", "b: y"], None, ["A: x", "b: y"]),
        (["(A: x", "(B: y"], None, ["(A: x", "(B: y"]),
        (["A - Wave", "B - Wave"], None, ["A - Wave", "B - Wave"]),
        (["B - cell", "A - fibre", "C - fibre"], None, ["B - cell", "A - fibre", "C - fibre"]),
        (["A", "B"], None, ["A", "B"]),
        (["A:", "B:"], None, ["A:", "B:"]),
        (["A.x", "B.y", "C.z"], None, ["A.x", "B.y", "C.z"]),
        # species
        (["A. baumannii", "B. fragilis"], None, ["A. baumannii", "B. fragilis"]),
        (["B. fragilis", "A. baumannii", "C. difficile"], None, ["B. fragilis", "A. baumannii", "C. difficile"]),
        (
            ["A. fumigatus", "B. burgdorferi", "C. difficile"],
            None,
            ["A. fumigatus", "B. burgdorferi", "C. difficile"],
        ),
        ([], None, []),
    ],
)
def test_letters(texts: list[str], letters: str | None, bare: list[str] | None) -> None:
    assert (borne_letters(texts), without_letters(texts)) == (letters, bare)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["B: Left", "A: Right"], True),
        (["A: x", "C: y", "D: z"], True),
        (["B: x", "C: y"], True),
        (["b) Left", "a) Right"], True),
        (["b. left", "a. right"], True),
        (["B. Left", "A. Right"], True),
        (["B) Left", "A. Right"], True),
        (["B - Left", "A – Right"], True),
        (["A: x", "C: y", "None of these"], True),
        (["A: x", "B: y"], False),
        (["(a) x", "B - Y"], False),
        (["B. fragilis", "A. baumannii"], False),
        (["B. fragilis", "A. baumannii", "C. difficile"], False),
        (["B - cell lymphoma", "A - fibre"], False),
        (["T: x", "N: y"], False),
        (["Left", "A: Right"], False),  # one alone may begin so by chance
        (["B: x", "B: y"], False),
        (["B-cell", "A-fibre"], False),
        (["B", "A"], False),
    ],
)
def test_letters_of_another_option(texts: list[str], expected: bool) -> None:
    assert bears_another_letter(letter_options(texts)) is expected


def test_lines_lose_their_letters_where_lists_may_hold_species() -> None:
    assert line_texts(["A. left", "B. right"]) == ["left", "right"]
    assert line_texts(["B. Left", "A. Right"]) == ["B. Left", "A. Right"]
    assert line_texts(["A. left", "C. right"]) is None


@pytest.mark.parametrize(
    ("options", "bare"),
    [
        ({"A": "A: x", "B": "B: y"}, {"A": "x", "B": "y"}),
        ({"A": "A) x", "C": "C) y"}, {"A": "x", "C": "y"}),  # their own letters, whichever these are
        ({"B": "B: x", "A": "A: y"}, {"B": "x", "A": "y"}),
        ({"A": "B: x", "B": "A: y"}, None),
        ({"A": "A: x", "B": "y"}, {"A": "A: x", "B": "y"}),
        ({"A": "x", "B": "y"}, {"A": "x", "B": "y"}),
    ],
)
def test_options_lose_letters_that_are_their_own(options: dict[str, str], bare: dict[str, str] | None) -> None:
    assert bare_options(options) == bare
