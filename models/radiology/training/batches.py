"""Rows as tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from models.radiology.data.prompts import LEAD, Row, answer_prompt, reply_text
from prompt4trust.prompts import PromptTemplate
from services.common.engine.vision.joined.config import JoinedConfig
from services.common.engine.vision.joined.training import with_places

IGNORED = -100
_KEY_WEIGHT = 4.0


@dataclass(slots=True)
class Batch:
    """Rows, padded on the right: a causal model needs no mask for that.

    Attributes:
        ids: int64 [rows, length].
        targets: int64 [rows, length], the next token where it counts, IGNORED elsewhere.
        weights: float32 [rows, length], of the targets.
        features: int64 [pictures], places of the rows' cached features, in the rows' order.
        number_at: int64 [rows], the position that predicts the number's first digit.
        own: float32 [rows], the model's own probability of the answer, where `states`.
        hint_kinds: int64 [rows].
        states: bool [rows], whether the number is learned.
    """

    ids: Tensor
    targets: Tensor
    weights: Tensor
    features: Tensor
    number_at: Tensor
    own: Tensor
    hint_kinds: Tensor
    states: Tensor


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns rows into batches.

    Attributes:
        tokenizer: The language model's, with the chat template of joined models.
        template: The wording of questions.
        config: The model's measures.
    """

    tokenizer: PreTrainedTokenizerBase
    template: PromptTemplate
    config: JoinedConfig

    def prompt(self, row: Row) -> list[int]:
        """Encode a row's prompt, the picture's token repeated."""
        text = answer_prompt(self.tokenizer, self.template, row.asked, row.hint, picture=row.features is not None)
        return with_places(self._encode(text), self.config)

    def __call__(self, rows: Sequence[Row]) -> Batch:
        """Encode rows with their replies."""
        encoded = [(self.prompt(row), *self._reply(row)) for row in rows]
        length = max(len(prompt) + len(reply) for prompt, reply, *_ in encoded)
        ids = torch.full((len(rows), length), int(self.tokenizer.pad_token_id or 0))
        targets = torch.full((len(rows), length), IGNORED)
        weights = torch.zeros(len(rows), length)
        number_at = torch.zeros(len(rows), dtype=torch.long)
        for index, (prompt, reply, learned, number) in enumerate(encoded):
            ids[index, : len(prompt) + len(reply)] = torch.tensor(prompt + reply)
            place = slice(len(prompt) - 1, len(prompt) + len(reply) - 1)
            weight = torch.tensor(learned)
            targets[index, place] = torch.where(weight > 0, torch.tensor(reply), IGNORED)
            weights[index, place] = weight
            number_at[index] = len(prompt) + number - 1
        return Batch(
            ids,
            targets,
            weights,
            torch.tensor([row.features for row in rows if row.features is not None], dtype=torch.long),
            number_at,
            torch.tensor([row.own for row in rows]),
            torch.tensor([row.hint_kind for row in rows]),
            torch.tensor([row.learn_confidence for row in rows]),
        )

    def _reply(self, row: Row) -> tuple[list[int], list[float], int]:
        """Encode a reply: its tokens, their weights in the loss, and the number's place."""
        text = reply_text(row.asked, row.answer, row.confidence) + self.tokenizer.eos_token
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        tokens: list[int] = found["input_ids"]
        value = len(LEAD) + 1
        equals = value + len(row.asked.options[row.answer]) + 3  # where the first letter stands
        letter = text.index("The answer is ") + len("The answer is ")
        number = text.index("confidence ") + len("confidence ")
        weights, number_token = [], 0
        for place, (start, end) in enumerate(found["offset_mapping"]):
            digit = number <= start < number + len(str(row.confidence))
            key = any(start <= char < end for char in (value, equals, letter))
            if digit and not number_token:
                number_token = place
            if digit:
                weights.append(_KEY_WEIGHT if row.learn_confidence else 0.0)
            elif start < number - 1:
                weights.append((_KEY_WEIGHT if key else 1.0) if row.learn_answer else 0.0)
            else:
                weights.append(1.0)
        return tokens, weights, number_token

    def _encode(self, text: str) -> list[int]:
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens


def by_length(draw: Callable[[], Row], encoder: Encoder, batch: int, pool: int = 6) -> Iterator[Batch]:
    """Draw rows in pools and cut these into batches of like length, which halves the padding, without end.

    Args:
        draw: Makes one row.
        encoder: Encodes rows.
        batch: Rows a batch.
        pool: Batches a pool.
    """
    while True:
        rows = sorted((draw() for _ in range(batch * pool)), key=lambda row: len(encoder.prompt(row)))
        cut = [rows[start : start + batch] for start in range(0, len(rows), batch)]
        for part in cut[::2] + cut[1::2][::-1]:
            yield encoder(part)
