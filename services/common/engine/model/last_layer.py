"""The last decoder layer of a prefill, for the one token of each prompt that something is made of.

Whatever leaves the last layer only becomes logits, and of a prompt's logits only its last token's are wanted. The other
tokens pass that layer for their keys and values alone, which spares most of its work: of a model with four layers,
almost a quarter.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

from services.common.engine.model.cache import SlotCache, slot_mask


class LastTokens(torch.nn.Module):
    """A decoder layer that, where prompts are read into a `SlotCache`, gives each prompt's last token only.

    Args:
        layer: The layer.
    """

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer: Any = layer
        # As in Llama and nearly all since: the input is normalised, and the attention reads it, before anything else.
        self._usual = hasattr(layer, "input_layernorm") and hasattr(layer, "self_attn")

    def forward(
        self,
        hidden: torch.Tensor,
        *,
        attention_mask: torch.Tensor | None,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        past_key_values: Any,
        **others: Any,
    ) -> torch.Tensor:
        """Run the layer.

        Args:
            hidden: [batch, length, width].
            attention_mask: As the model made it.
            position_embeddings: Cosines and sines, [batch, length, width of a head] each.
            past_key_values: The cache.
            others: What else the model passes.

        Returns:
            [batch, 1, width] while prompts are read into slots, otherwise like `hidden`.
        """
        last = past_key_values.last if isinstance(past_key_values, SlotCache) else None
        if last is None or not self._usual:
            whole = self._run(hidden, attention_mask, position_embeddings, past_key_values, others)
            return whole if last is None else _of_each(whole, last)
        self.layer.self_attn(
            self.layer.input_layernorm(hidden),
            attention_mask=attention_mask,
            position_embeddings=position_embeddings,
            past_key_values=past_key_values,
        )  # for the keys and values that it stores; the last tokens then see them as they would in a step
        columns = past_key_values.last_columns
        mask = slot_mask(columns, past_key_values.begin_last_tokens(), hidden.dtype)
        cosines, sines = (_of_each(part, last) for part in position_embeddings)
        return self._run(_of_each(hidden, last), mask, (cosines, sines), past_key_values, others)

    def _run(
        self, hidden: torch.Tensor, mask: Any, embeddings: Any, cache: Any, others: dict[str, Any]
    ) -> torch.Tensor:
        result: torch.Tensor = self.layer(
            hidden, attention_mask=mask, position_embeddings=embeddings, past_key_values=cache, **others
        )
        return result


def _of_each(rows: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Pick a place of each row: [batch, length, width] to [batch, 1, width]."""
    return rows[torch.arange(len(places), device=places.device), places][:, None]


def narrow_last_layer(model: PreTrainedModel) -> None:
    """Make a model's prefill into a `SlotCache` end with each prompt's last token; doing so again changes nothing."""
    layers = model.get_decoder().layers
    if not isinstance(layers[-1], LastTokens):
        layers[-1] = LastTokens(layers[-1])
