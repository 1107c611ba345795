"""Prompts and replies as the models see them, rendered by the same code that serves them."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from models.recipe.networks.architecture import GRID, IMAGE_TOKENS, MERGE
from models.recipe.networks.tokenizer import IMAGE_PAD, TURN_END, TURN_START, VISION_END, VISION_START
from prompt4trust.prompts import PromptTemplate, answer_messages, guide_messages

UNCLEAR = "unclear"
ANSWER_TEMPLATE = "answer-compact@1"
GUIDE_TEMPLATE = "guide-compact@1"
IGNORED = -100
_IMAGE = f"{VISION_START}{IMAGE_PAD * IMAGE_TOKENS}{VISION_END}"
_ANY_URL = "data:,"  # a prompt's text does not depend on the picture


def lettered(texts: Sequence[str]) -> dict[str, str]:
    """Letter option texts A, B, C, ... in order."""
    return dict(zip(ascii_uppercase, texts, strict=False))


def chat_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Render messages as the tokenizer's chat template does, generation prompt included, image tokens expanded."""
    text = ""
    for message in messages:
        content = message["content"]
        if not isinstance(content, str):
            content = "".join(part["text"] if part["type"] == "text" else _IMAGE for part in content)
        text += f"{TURN_START}{message['role']}\n{content}{TURN_END}\n"
    return f"{text}{TURN_START}assistant\n"


def answer_prompt(
    template: PromptTemplate, question: str, options: Mapping[str, str], hint: str = "", *, image: bool = True
) -> str:
    """Render the downstream model's whole prompt; without `image`, as for a text-only question."""
    url = _ANY_URL if image else None
    return chat_text(answer_messages(template, question, options, image_url=url, guidance=hint or None))


def guide_prompt(template: PromptTemplate, question: str, options: Mapping[str, str]) -> str:
    """Render the policy's whole prompt."""
    return chat_text(guide_messages(template, question, options))


def reply_text(finding: str, letter: str, confidence: int) -> str:
    """Word the downstream model's reply; confidence is 0 to 100."""
    return f"Finding: {finding}. The answer is {letter} with confidence {confidence}."


@dataclass(slots=True)
class Row:
    """One training sequence.

    Attributes:
        prompt: rendered prompt.
        reply: what the model should write.
        options: the option texts, in order; their places in the prompt guide attention.
        finding: the value that the reply names.
        answer: index of the option that the reply chooses, None where it is arbitrary.
        features: index of the picture's cached image tokens, None for a text-only row.
        learn_finding, learn_letter, learn_confidence: which parts of the reply count in the loss.
        reason: why the reply states its confidence, None where nothing is to be learned from it.
    """

    prompt: str
    reply: str
    options: Sequence[str] = ()
    finding: str = ""
    answer: int | None = None
    features: int | None = None
    learn_finding: bool = True
    learn_letter: bool = True
    learn_confidence: bool = True
    reason: "Reason | None" = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Grounds of a stated confidence.

    Attributes:
        kind: what the hint is to the question, an index.
        probability: the model's own probability of its answer, 0 to 1.
    """

    kind: int
    probability: float


@dataclass(slots=True)
class Batch:
    """Rows as tensors, padded on the right.

    Attributes:
        ids: int64 [B, T].
        positions: int64 [3, B, T], time, height and width.
        targets: int64 [B, T], the next token where it counts, -100 elsewhere.
        features: int64 [B], indices of cached image tokens, -1 for none.
        finding_at: int64 [B], the position that predicts the finding's first token.
        letter_at: int64 [B], the position that predicts the letter.
        digits_at: int64 [2, N], rows and positions that predict the digits of the confidence.
        links: (row, from, to) triples that attention should follow: option value -> its letter, the letter's
            position -> the reply's finding, the letter's position -> that value among the options, and the position
            that predicts the finding -> all option values together.
        reasons: the rows' reasons, with the position that predicts the first digit: (row, position, reason).
    """

    ids: Tensor
    positions: Tensor
    targets: Tensor
    features: Tensor
    finding_at: Tensor
    letter_at: Tensor
    digits_at: Tensor
    links: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    reasons: list[tuple[int, int, Reason]] = field(default_factory=list)


def image_positions(prefix: int, length: int, image: bool) -> Tensor:
    """Give rotary positions [3, length] of a sequence whose picture, if any, starts after `prefix` tokens.

    Text advances all three alike; the picture's tokens share a time and spread over height and width
    (Qwen2-VL, arXiv 2409.12191, section 2.1).
    """
    if not image:
        return torch.arange(length).expand(3, -1)
    side = GRID // MERGE
    cells = torch.arange(IMAGE_TOKENS)
    picture = torch.stack([torch.zeros_like(cells), cells // side, cells % side]) + prefix
    after = torch.arange(length - prefix - IMAGE_TOKENS) + prefix + side
    return torch.cat([torch.arange(prefix).expand(3, -1), picture, after.expand(3, -1)], dim=1)


def collate(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]) -> Batch:
    """Encode rows and find the places that losses need.

    Args:
        tokenizer: the shared tokenizer.
        rows: training sequences.

    Returns:
        The batch, on the CPU.
    """
    texts = [f"{row.prompt}{row.reply}{TURN_END}" for row in rows]
    encodings = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    length = max(len(encoding.ids) for encoding in encodings)
    count = len(rows)
    pad = tokenizer.pad_token_id
    ids = torch.full((count, length), pad)
    targets = torch.full((count, length), IGNORED)
    positions = torch.zeros(3, count, length, dtype=torch.long)
    finding_at = torch.zeros(count, dtype=torch.long)
    letter_at = torch.zeros(count, dtype=torch.long)
    digits_at: list[tuple[int, int]] = []
    links: dict[str, list[tuple[int, int, int]]] = {"letter": [], "finding": [], "match": [], "candidates": []}
    reasons: list[tuple[int, int, Reason]] = []
    for index, (row, text, encoding) in enumerate(zip(rows, texts, encodings, strict=True)):
        own = torch.tensor(encoding.ids)
        size = len(own)
        ids[index, :size] = own
        start = encoding.char_to_token(len(row.prompt))
        targets[index, start - 1 : size - 1] = own[start:]
        prefix = text.find(VISION_START)
        image = prefix >= 0
        positions[:, index, :size] = image_positions(encoding.char_to_token(prefix) + 1 if image else 0, size, image)
        if not row.finding:
            continue
        # Places in the reply: "Finding: {finding}. The answer is {letter} with confidence {n}."
        finding_char = len(row.prompt) + len("Finding: ")
        finding = encoding.char_to_token(finding_char)
        letter = encoding.char_to_token(finding_char + len(row.finding) + len(". The answer is "))
        finding_at[index], letter_at[index] = finding - 1, letter - 1
        if not row.learn_finding:
            targets[index, finding - 1 : letter - 1] = IGNORED
        if not row.learn_letter:
            targets[index, letter - 1] = IGNORED
        if not row.learn_confidence:
            targets[index, letter + len(_CONFIDENCE_LEAD) : size - 1] = IGNORED
        number = text.rindex(" ", 0, len(row.prompt) + len(row.reply)) + 1
        for char in range(number, len(row.prompt) + len(row.reply) - 1):
            digits_at.append((index, encoding.char_to_token(char) - 1))
        if row.reason is not None:
            reasons.append((index, encoding.char_to_token(number) - 1, row.reason))
        if row.answer is None:
            continue
        at = 0
        for place, option in enumerate(row.options):
            line = f"\n{ascii_uppercase[place]}. {option}\n"
            at = text.index(line, at)
            value = encoding.char_to_token(at + len(line) - 2 - len(option) + 1)
            links["letter"].append((index, value, encoding.char_to_token(at + 1)))
            links["candidates"].append((index, finding - 1, value))
            if place == row.answer:
                links["match"].append((index, letter - 1, value))
        links["finding"].append((index, letter - 1, finding))
    features = torch.tensor([-1 if row.features is None else row.features for row in rows])
    digits = torch.tensor(digits_at, dtype=torch.long).reshape(-1, 2).T
    return Batch(ids, positions, targets, features, finding_at, letter_at, digits, links, reasons)


_CONFIDENCE_LEAD = (" with", " confidence")


def shuffled(rng: random.Random, items: Sequence[str]) -> list[str]:
    """Return a shuffled copy."""
    return rng.sample(list(items), len(items))
