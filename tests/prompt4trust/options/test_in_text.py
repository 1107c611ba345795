"""Options in a question's text, as people and programs write them."""

from __future__ import annotations

import contextlib
import time
from string import ascii_uppercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.errors import UnclearOptionsError
from prompt4trust.options.in_text import split_options

LINES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)


FORMS = [
    *("{}: {}", "{}. {}", "{}) {}", "({}) {}", "[{}] {}", "{} - {}", "{} – {}", "  {}:  {}  ", "{} : {}"),
    *("{}：{}", "{}、{}", "{}． {}", "{}）{}", "（{}）{}"),
    *("{}:{}", "{}.{}", "{}){}", "({}){}", "**{}.** {}", "**{}**: {}", "**({})** {}"),
    *("- {}: {}", "* {}) {}", "• {}. {}", "- {} - {}", "- **{}.** {}"),
]


@pytest.mark.parametrize("form", FORMS)
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
        "Which is larger, (A) or (B)?",
        "A large mass is seen.\nIs it malignant?",
        "Which diameter?\n1.5 cm was measured.\n2.5 cm was measured.",
        "Known:\n1. a fracture\n2. diabetes\nWhat is seen?",
        "Known:\n- a fracture\n- diabetes\nWhat is seen?",
        "- a fracture\n- diabetes",
        "Что видно?\nВ лёгких: тень.\nЕсть ли выпот?",
        "图像显示什么？\n请回答。",
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
        ("Which? A:Round B:Oval", "one line"),
        ("Which? [A] Round [B] Oval", "one line"),
        ("Which? A - Round B - Oval", "one line"),
        ("Which? A: Round\nB: Oval", "one line"),
        ("Option A: Round\nOption B: Oval", "not all marked"),
        ("Which?\nA Round\nB Oval", "mark each"),
        ("Which?\nA: Round\nB Oval", "mark each"),
        ("Which?\nA:\nRound\nB:\nOval", "not all marked"),
        ("Which?\nA: Round\nB: Oval\nC", "right below"),
        ("Which?\nA: Round\nB: Oval\nC:", "not all marked"),
        ("Which?\nA: Round\nB: Oval\nC Irregular", "right below"),
        ("Which?\nA: Round\nB: Oval\n\nC Irregular", "an option C"),
        ("Which?\nA: Round\nB: Oval\nC - Unknown", "not all marked"),
        ("Which?\nA: Round\nB: Oval\n\nC, unknown", "not all marked"),
        ("Which?\nA: Round\nB: Oval\nC： Unknown", "not all marked"),
        ("Which?\nA: Round\nB: Oval\n- C: Unknown", "not all marked"),
        ("Which?\nA: Round\nB: Oval\n\n1) Unknown\nD: Other", "in order"),
        ("Which?\nA: Round\nB) Oval", "not all marked"),
        ("Which?\nA: Round\nb: Oval", "not all marked"),
        ("Which?\n**A. Round**\n**B. Oval**", "not all marked"),
        ("Which?\n(A. Round\n(B. Oval", "not all marked"),
        ("Which?\nA) Round\nB) Oval, with a\nspiculated margin", "right below"),
        ("Which?\nA) Round\nB) Oval\nAnswer with the letter.", "right below"),
        ("Which?\nA: Round\nB: Oval C: Irregular", "an option C"),
        ("Which?\nA: Round\nB: Oval\n\nAnswer with A, B or C.", "an option C"),
        ("Which?\n1. Round\n2. Oval", "numbered"),
        ("Which?\n1) Round\n\n2) Oval\n", "numbered"),
        ("Which?\n(i) Round\n(ii) Oval", "numbered"),
        ("Which?\n- Round\n- Oval", "ends with a list"),
        ("Which?\n• Round\n\n• Oval\n", "ends with a list"),
        ("Что?\nА) круг\nБ) овал", "other letters"),
        ("Τι;\nΑ. κύκλος\nΒ. οβάλ\nΓ. άλλο", "other letters"),
        ("क्या?\nक) गोल\nख) अंडाकार\n\nउत्तर?", "other letters"),
        ("Which?\nＡ）Round\nＢ）Oval", "other letters"),
        ("Which?\n① Round\n② Oval", "other letters"),
        ("Which?<br>A) Round<br>B) Oval", "one line"),
        ("Which?\\nA) Round\\nB) Oval", "one line"),
        ("哪个？A：圆形 B：椭圆", "one line"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: str, said: str) -> None:
    with pytest.raises(UnclearOptionsError, match=said):
        split_options(text)


def test_the_last_option_is_not_lost() -> None:
    assert split_options("Which shape?\nA: Round\nB: Oval\nC:Irregular").options == ("Round", "Oval", "Irregular")


def test_a_long_text_costs_no_time() -> None:
    began = time.thread_time()
    assert split_options(("A: " + " " * 60) * 600).options == ()
    assert split_options("A:" + "\u2003A: " * 9_000).options == ()
    for text in (
        "A: " * 13_000,
        "A\nB:" * 8_000,
        "- " * 20_000,
        "*" * 40_000,
        "A:x\nB:y\n\n" + "C " * 15_000,
        "\n" * 40_000,
    ):
        with contextlib.suppress(UnclearOptionsError):
            split_options(text)
    assert time.thread_time() - began < 2  # of this thread, whatever else the machine does
