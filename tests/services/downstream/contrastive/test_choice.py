"""Options as chats write them."""

from __future__ import annotations

import re

import pytest

from prompt4trust.prompts import answer_messages, load_template
from services.common.engine.errors import InvalidRequestError
from services.downstream.contrastive import choice
from services.downstream.contrastive.choice import read_options

OPTIONS = {"A": "Left", "B": "Right, and below", "C": "A. of nothing"}


@pytest.mark.parametrize("name", ["answer-compact@1", "answer-compact-held@1", "answer-standard@1", "answer-json@1"])
@pytest.mark.parametrize("guidance", [None, "Look twice.\n\nThen answer."])
def test_every_shipped_template_is_read(name: str, guidance: str | None) -> None:
    messages = answer_messages(load_template(name), "Which side?", OPTIONS, image_url="data:,", guidance=guidance)
    assert read_options(messages) == OPTIONS


@pytest.mark.parametrize("name", ["answer-compact@1", "answer-compact-held@1", "answer-standard@1", "answer-json@1"])
@pytest.mark.parametrize(
    ("question", "options", "guidance"),
    [
        ("A reader listed:\nA. Effusion\nB. Fracture\nWhich one applies?", OPTIONS, None),
        ("A reader listed:\nA. Effusion\nB. Fracture", OPTIONS, None),
        ("A reader saw:\nB. Fracture\nRight?", OPTIONS, None),
        ("Which side?", OPTIONS, "Steps:\nA. Look twice.\nB. Then answer."),
        ("Which side?", OPTIONS, "Steps:\nD. Look twice."),
        ("Which side?", {"A": "Left", "B": "Right", "D": "Below"}, None),
        ("Which side?", {"B": "Left", "A": "Right"}, None),
        ("Which side?", {"A": "Left", "B": "Right", "C": " "}, None),
    ],
)
def test_nothing_is_read_where_the_options_are_not_certain(
    name: str, question: str, options: dict[str, str], guidance: str | None
) -> None:
    messages = answer_messages(load_template(name), question, options, image_url="data:,", guidance=guidance)
    with pytest.raises(InvalidRequestError, match="not certain") as caught:
        read_options(messages)
    assert caught.value.code == "options_ambiguous"


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\u2028", "\n\n"])
def test_a_line_break_in_an_option_makes_no_other_options(line_break: str) -> None:
    options = {"A": f"Left{line_break}and above", "B": f"Right{line_break}C. Below", "C": "None"}
    messages = answer_messages(load_template("answer-compact@1"), "Which side?", options)
    read = {letter: " ".join(text.split()) for letter, text in read_options(messages).items()}
    assert read == {"A": "Left and above", "B": "Right C. Below", "C": "None"}


@pytest.mark.parametrize("text", ["A. Left\nand above\nB. Right", "A. Left\nB. Right\nName one.\nC. Below"])
def test_options_that_do_not_stand_one_below_the_other_are_not_certain(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_options([{"role": "user", "content": text}])
    assert caught.value.code == "options_ambiguous"


def test_empty_lines_between_options_do_not_matter() -> None:
    assert read_options([{"role": "user", "content": "Side?\n\nA. Left\n\n B. Right\r\n"}]) == {
        "A": "Left",
        "B": "Right",
    }


def test_a_pattern_reads_a_few_characters_of_each_line_and_no_line_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[int] = []
    pattern = choice._LETTER

    class Counting:
        def match(self, line: str) -> re.Match[str] | None:
            found = pattern.match(line)
            ends.append(found.end() if found else 0)
            return found

    monkeypatch.setattr(choice, "_LETTER", Counting())
    gap = " " * 100_000  # what ended a line's text was once searched for from each of these
    long = f"Side?{gap}x\nA. Left{gap}x\nB. Right{gap}"
    assert read_options([{"role": "user", "content": long}]) == {"A": f"Left{gap}x", "B": "Right"}
    assert ends == [0, 3, 3]


def test_other_ways_to_letter_are_read() -> None:
    assert read_options([{"role": "user", "content": "Side?\n (A) Left \n (B) Right"}]) == {"A": "Left", "B": "Right"}
    assert read_options([{"role": "user", "content": "A) Left\nB) Right"}]) == {"A": "Left", "B": "Right"}


def test_the_last_user_message_counts() -> None:
    first = {"role": "user", "content": "A. One\nB. Two"}
    second = {"role": "user", "content": "A. Three\nB. Four"}
    assert read_options([first, {"role": "assistant", "content": "A. x\nB. y"}, second]) == {"A": "Three", "B": "Four"}


@pytest.mark.parametrize("text", ["", "Which side is it?", "A. Left", "A.Left\nB.Right", "a. Left\nb. Right"])
def test_a_chat_without_options_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="chooses between options") as caught:
        read_options([{"role": "user", "content": text}])
    assert caught.value.code == "options_missing"
