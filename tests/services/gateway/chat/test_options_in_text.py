"""Options in a question's text, as people and programs write them."""

from __future__ import annotations

import time
from string import ascii_uppercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.chat.options_in_text import UnclearOptionsError, split_options

LINES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)


@pytest.mark.parametrize("form", ["{}: {}", "{}. {}", "{}) {}", "({}) {}", "  {}:  {}  "])
@pytest.mark.parametrize("lower", [False, True])
def test_every_form_is_read(form: str, lower: bool) -> None:
    letters = "abc" if lower else "ABC"
    lines = [form.format(letter, text) for letter, text in zip(letters, ("Round", "Oval", "A: b"), strict=True)]
    found = split_options("\n".join(["Which shape?", "", *lines, "", "Answer with the letter."]))
    assert found.options == ("Round", "Oval", "A: b")
    assert found.question.split() == ["Which", "shape?", "Answer", "with", "the", "letter."]


@given(st.lists(LINES, min_size=2, max_size=26), st.sampled_from([":", ".", ")"]), st.booleans())
def test_what_was_put_together_comes_apart(texts: list[str], mark: str, blank: bool) -> None:
    lines = [f"{letter}{mark} {text}" for letter, text in zip(ascii_uppercase, texts, strict=False)]
    found = split_options("What is seen?\n" + ("\n\n" if blank else "\n").join(lines))
    assert found.question == "What is seen?"
    assert list(found.options) == texts


@pytest.mark.parametrize(
    "text",
    [
        "Is there an effusion?",
        "A. fumigatus was cultured. Does the picture fit?",
        "What is seen in A and B?",
        "Compare vitamin A: is it low?\nAnd which sign shows it?",
        "A:\nB:",
        "",
        "E. coli or another germ?\nWhich one?",
    ],
)
def test_a_text_without_options_stays_whole(text: str) -> None:
    found = split_options(text)
    assert (found.question, found.options) == (text, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Which?\nA: Round\nC: Oval", "in order"),
        ("Which?\nB: Round\nC: Oval", "in order"),
        ("Which?\nA: Round\nA: Oval", "in order"),
        ("Which?\nA: Round\nor perhaps\nB: Oval", "other lines"),
        ("Which? A: Round B: Oval", "one line"),
        ("Which? (A) Round (B) Oval", "one line"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: str, said: str) -> None:
    with pytest.raises(UnclearOptionsError, match=said):
        split_options(text)


def test_a_long_text_costs_no_time() -> None:
    began = time.perf_counter()
    assert split_options(("A: " + " " * 60) * 600).options == ()
    assert split_options("A:" + "\u2003A: " * 9_000).options == ()
    assert time.perf_counter() - began < 2
