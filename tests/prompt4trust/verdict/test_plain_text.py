"""Plain text: what holds no markup is left as it is, and nothing else is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.verdict.plain_text import has_words, last_sentence, without_markup

# fmt: off
PIECES = [
    "The answer", " is ", "B", "answer", "confidence", ": ", "85", " on a scale of 0 to 100",
    "ON A SCALE 1-5", " ", "  ", "*", "**", "#", "`", "$", "\\boxed{", "}", "<b>", "<answer>", "|", "\n",
    "\r", "\t", "_", "-", "ſ", "K", "：", "\u3000", "~", "^", "[", "]", "@", "'", '"', "\\", "final answer",
]
# fmt: on


@given(st.lists(st.sampled_from(PIECES) | st.characters(max_codepoint=0x2FF), max_size=12).map("".join), st.booleans())
def test_a_text_without_markup_is_read_as_the_patterns_would(text: str, blanks: bool) -> None:
    # A line above, which is stripped again, has all patterns looked for.
    assert without_markup(text, blanks=blanks) == without_markup(f"\n{text}", blanks=blanks)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (" Is it B? (yes/no) ~ 50% & more; [x] {y} ", "Is it B? (yes/no) ~ 50% & more; [x] {y}"),
        ("confidence on a scale of 0 to 100: 85", "confidence (0-100): 85"),
        ("**B**", "B"),
        ("two  blanks", "two blanks"),
        ("# Answer", "Answer"),
        ("`# Answer", "Answer"),
        ("\\boxed{C}", "answer: C}"),
        ("答案：B", "答案:B"),
    ],
)
def test_markup_is_taken_away(text: str, plain: str) -> None:
    assert without_markup(text) == plain


@pytest.mark.parametrize(
    ("text", "words", "has"),
    [
        ("no effusion.", "effusion", True),
        ("pleural effusions", "effusion", False),
        ("grade 2a", "2", False),
        ("a (b) c", "(b)", True),
        ("", "effusion", False),
    ],
)
def test_words_are_whole(text: str, words: str, has: bool) -> None:
    assert has_words(text, words) is has


def test_the_last_sentence_begins_behind_the_last_start() -> None:
    starts = re.compile(r"[.!]\s|\n")
    assert last_sentence("One. Two!\nThree", starts) == "Three"
    assert last_sentence("One", starts) == "One"
    assert last_sentence("One. ", starts) == ""
