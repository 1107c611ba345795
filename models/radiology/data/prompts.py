"""Prompts and replies as the model sees them, by the templates that serve them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from models.radiology.data.questions import Asked
from prompt4trust.prompts import Message, PromptTemplate, answer_messages

ANSWER_TEMPLATE = "answer-compact@1"
_ANY_URL = "data:,"  # a prompt's text does not depend on the picture
LEAD = "Finding:"


def answer_prompt(
    tokenizer: PreTrainedTokenizerBase, template: PromptTemplate, asked: Asked, hint: str = "", *, picture: bool = True
) -> str:
    """Render a whole prompt, with one token for the picture, or none for a question that is asked without."""
    messages = answer_messages(
        template, asked.text, asked.lettered, image_url=_ANY_URL if picture else None, guidance=hint or None
    )
    for message in messages:
        if not isinstance(message["content"], str):
            message["content"] = [{"type": "image"} if part["type"] != "text" else part for part in message["content"]]
    return chat_prompt(tokenizer, messages)


def chat_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> str:
    """Word messages by the tokenizer's template, up to where the reply begins."""
    untyped: Any = tokenizer  # its stub knows no text
    text: str = untyped.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return text


def reply_text(asked: Asked, answer: int, confidence: int) -> str:
    """Word a reply: finding first, with its letter, for a letter alone is not learned in reasonable time."""
    letter = list(asked.lettered)[answer]
    return f"{LEAD} {asked.options[answer]} = {letter}. The answer is {letter} with confidence {confidence}."


@dataclass(frozen=True, slots=True)
class Row:
    """One training sequence.

    Attributes:
        asked: The question, its options in the order in which they are asked.
        answer: Place of the option that the reply names.
        features: Place of the picture's cached features; None for a question without its picture.
        hint: Guidance in the prompt.
        confidence: Per cent that the reply states.
        learn_answer: Whether finding and letter count in the loss.
        learn_confidence: Whether the number does.
        own: The model's own probability of the answer, 0 to 1, where the number is to be learned.
        hint_kind: Place of the hint's kind among `hints.KINDS`.
    """

    asked: Asked
    answer: int
    features: int | None
    hint: str = ""
    confidence: int = 95
    learn_answer: bool = True
    learn_confidence: bool = False
    own: float = 1.0
    hint_kind: int = 0
