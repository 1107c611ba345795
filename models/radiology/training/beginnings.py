"""Beginnings of prompts, read once: picture, question and options, ahead of whatever hint follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from models.radiology.data.prompts import Row
from models.radiology.data.questions import Asked
from models.radiology.training.batches import Encoder
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration

_ANY_HINT = "Look."


@dataclass(frozen=True, slots=True)
class Beginning:
    """A prompt's first tokens and what the language model keeps of them.

    Attributes:
        ids: The tokens.
        keys, values: [layers, key/value heads, tokens, head width].
    """

    ids: list[int]
    keys: Tensor
    values: Tensor


class Beginnings:
    """Beginnings of questions' prompts, kept in memory: 46 kB a token with SmolLM2-135M in float32.

    Picture, question and options come ahead of a hint, and are more than half of a prompt; with them kept, another
    hint costs its own tokens and the reply's.

    Args:
        model: The model.
        encoder: Encodes prompts.
        features: Cached features of all views.
        batch: Prompts that are read at a time.
    """

    def __init__(
        self, model: JoinedForConditionalGeneration, encoder: Encoder, features: Tensor, batch: int = 32
    ) -> None:
        self._model = model
        self._encoder = encoder
        self._features = features
        self._batch = batch
        self._kept: dict[tuple[Asked, int | None], Beginning] = {}

    def of(self, rows: Sequence[Row]) -> list[Beginning]:
        """Give the beginnings of rows' prompts; those that are not kept are read, and kept."""
        missing = list({(row.asked, row.features): row for row in rows if _key(row) not in self._kept}.values())
        ids = {_key(row): self._common(row) for row in missing}
        missing.sort(key=lambda row: len(ids[_key(row)]))
        for start in range(0, len(missing), self._batch):
            part = missing[start : start + self._batch]
            self._read(part, [ids[_key(row)] for row in part])
        return [self._kept[_key(row)] for row in rows]

    def _common(self, row: Row) -> list[int]:
        """Find the tokens that a prompt without a hint and one with a hint begin with."""
        plain, hinted = (self._encoder.prompt(replace(row, hint=hint)) for hint in ("", _ANY_HINT))
        length = next(place for place, pair in enumerate(zip(plain, hinted, strict=False)) if pair[0] != pair[1])
        return plain[:length]

    @torch.no_grad()
    def _read(self, rows: Sequence[Row], ids: Sequence[list[int]]) -> None:
        pad = int(self._encoder.tokenizer.pad_token_id or 0)
        length = max(map(len, ids))
        padded = torch.tensor([each + [pad] * (length - len(each)) for each in ids])  # on the right: needs no mask
        embedded = self._model.get_input_embeddings()(padded)
        views = [row.features for row in rows if row.features is not None]
        if views:
            embedded = self._model.placed(embedded, padded, self._features[views].float())
        output = self._model.get_decoder()(inputs_embeds=embedded, use_cache=True)
        layers = output.past_key_values.layers
        keys, values = (torch.stack([getattr(layer, name) for layer in layers], 1) for name in ("keys", "values"))
        for place, (row, own) in enumerate(zip(rows, ids, strict=True)):
            used = len(own)
            self._kept[_key(row)] = Beginning(
                own, keys[place, :, :, :used].clone(), values[place, :, :, :used].clone()
            )  # fmt: skip


def as_cache(beginnings: Sequence[Beginning]) -> tuple[DynamicCache, Tensor]:
    """Lay beginnings side by side, padded on the left.

    Args:
        beginnings: One for each prompt, of one model.

    Returns:
        The library's cache, and the mask of what is not padding: int64 [prompts, longest].
    """
    length = max(len(each.ids) for each in beginnings)
    mask = torch.zeros(len(beginnings), length, dtype=torch.long)
    layers, heads, _, width = beginnings[0].keys.shape
    stacked = [
        torch.zeros(layers, len(beginnings), heads, length, width, dtype=each.keys.dtype)
        for each in [beginnings[0]] * 2
    ]
    for row, each in enumerate(beginnings):
        start = length - len(each.ids)
        mask[row, start:] = 1
        stacked[0][:, row, :, start:] = each.keys
        stacked[1][:, row, :, start:] = each.values
    untyped: Any = DynamicCache
    cache = untyped()
    for layer in range(layers):
        cache.update(stacked[0][layer], stacked[1][layer], layer)
    return cache, mask


def _key(row: Row) -> tuple[Asked, int | None]:
    return row.asked, row.features
