"""A reply without what a chat template left in it."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Verdict, parse_verdict
from prompt4trust.verdict.forms.chat_leftovers import is_followed, own_reply

QUESTION = "Which diagnosis fits the rash best?"
OPTIONS = {"A": "Psoriasis", "B": "Atopic dermatitis"}


@pytest.mark.parametrize(
    "reply",
    [
        "<|im_start|>assistant\nB, 80<|im_end|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\nB, 80<|eot_id|>",
        "<start_of_turn>model\nB, 80<end_of_turn>",
        "[/INST] B, 80",
        "<|assistant|>B, 80<|endoftext|>",
        "<｜Assistant｜>B, 80<｜end▁of▁sentence｜>",
        "ASSISTANT: B, 80###",
        "assistant\n\nB, 80",
        "### Response:\nB, 80\n\n### End",
        "USER: <image>\nWhich diagnosis fits the rash best?\nASSISTANT: B, 80",
        "B, 80<|im_end|>\n<|im_start|>user\nThanks<|im_end|>",
        "B, 80\nHuman: And the treatment?\nAssistant: Emollients.",
    ],
)
def test_the_reply_is_left(reply: str) -> None:
    assert own_reply(reply, QUESTION, OPTIONS) == "B, 80"


@pytest.mark.parametrize(
    "reply",
    [
        "B, 80\nUSER: Are you sure?\nASSISTANT: No.",
        "B, 80\nUSER: Which diagnosis fits the rash best?\nASSISTANT: A, 75",
        "B, 80\nUSER: It is psoriasis.\nASSISTANT: Thank you.",
        "<|im_start|>user\nB, 80<|im_end|>",
    ],
)
def test_none_is_left_where_a_later_turn_speaks_of_the_verdict(reply: str) -> None:
    assert own_reply(reply, QUESTION, OPTIONS) is None


def test_text_without_any_stays_as_it_was() -> None:
    said = "The rash is on the user's arm. Question of age. The answer is B with confidence 80."
    assert own_reply(said, QUESTION, OPTIONS) == said


def test_a_reply_that_goes_on_as_the_user_came_to_its_end() -> None:
    reply = "Answer: B. Confidence: 80\nUSER: How is it treated?\nASSISTANT: With emolli"
    assert is_followed(reply)
    assert not is_followed("Answer: B. Confidence: 80")
    assert parse_verdict(reply, OPTIONS, finish_reason="length") == Verdict("B", 0.8)
