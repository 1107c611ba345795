"""Plain text: what holds no markup is left as it is, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.verdict.plain_text import without_markup

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
