"""A decoder's passes in a third of the calls that the model library makes for them.

With a small model a token's time is not arithmetic but the calls around it: some fifty of torch for each layer, each
through several of Python. Here the products with the same input are one product, and what is added is added by the
product itself. Of a prompt's last layer only what becomes logits is computed. Rounding apart, the logits are the
library's; the adapter tries that before it uses any of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn
from transformers import PreTrainedModel

from services.common.engine.model.cache import SlotCache, slot_attention, slot_mask

KINDS = frozenset({"llama", "qwen2", "qwen2_vl_text"})
"""Text models in the library's names whose layers are the ones below."""
_TURNS = frozenset({"default", "linear", "llama3", "yarn"})
"""Kinds of rotary embedding whose angles depend on the position alone, not on how long the text has become."""
_LAYER = {"input_layernorm", "self_attn", "post_attention_layernorm", "mlp"}
_ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
_MLP = {"gate_proj", "up_proj", "down_proj", "act_fn"}


@dataclass(frozen=True, slots=True, eq=False)
class _Product:
    """Linear layers with one input, as one. Weight [out, in]; bias [out] or None."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    @classmethod
    def of(cls, layers: Sequence[nn.Linear]) -> Self:
        """Join layers, which from then on share the joined memory: weights are there once."""
        weight = torch.cat([layer.weight.detach() for layer in layers])
        biases = [layer.bias for layer in layers]
        bias = None
        if any(each is not None for each in biases):
            zeros = (weight.new_zeros(layer.out_features) for layer in layers)
            bias = torch.cat([none if own is None else own.detach() for own, none in zip(biases, zeros, strict=True)])
        for layer, part in zip(layers, weight.split([layer.out_features for layer in layers]), strict=True):
            layer.weight = nn.Parameter(part, requires_grad=False)
        return cls(weight, bias)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A decoder layer's weights; products that are added to their input are transposed, [in, out]."""

    before: torch.Tensor
    before_eps: float
    inputs: _Product
    mixed: torch.Tensor
    after: torch.Tensor
    after_eps: float
    gates: _Product
    down: torch.Tensor

    @classmethod
    def of(cls, layer: Any) -> Self:
        attention, mlp = layer.self_attn, layer.mlp
        before, after = layer.input_layernorm, layer.post_attention_layernorm
        return cls(
            before=before.weight.detach(),
            before_eps=before.variance_epsilon,
            inputs=_Product.of([attention.q_proj, attention.k_proj, attention.v_proj]),
            mixed=attention.o_proj.weight.detach().t(),
            after=after.weight.detach(),
            after_eps=after.variance_epsilon,
            gates=_Product.of([mlp.gate_proj, mlp.up_proj]),
            down=mlp.down_proj.weight.detach().t(),
        )


class Decoder:
    """Passes of a decoder like Llama's over a `SlotCache`; made by `of`.

    Args:
        model: The network.
        layers: Its decoder layers.
    """

    def __init__(self, model: PreTrainedModel, layers: Sequence[Any]) -> None:
        config = model.config.get_text_config()
        self._embeddings: Any = model.get_input_embeddings()
        self._head: Any = model.get_output_embeddings()
        self._norm: Any = model.get_decoder().norm
        self._rotary: Any = model.get_decoder().rotary_emb
        self._heads: int = config.num_attention_heads
        self._kept: int = config.num_key_value_heads
        self._width: int = layers[0].self_attn.head_dim
        self._scale = float(layers[0].self_attn.scaling)
        self._layers = [_Layer.of(layer) for layer in layers]
        # For each position that slots have had places for, [positions, 2, 1, width of a head].
        self._turns: torch.Tensor = self._norm.weight.new_empty(0)

    @classmethod
    def of(cls, model: PreTrainedModel) -> Decoder | None:
        """Make the passes of a model; None for one with other layers, or of another type than float32.

        In a shorter type a text hangs on rounding, and would become another one.

        Args:
            model: The network, in evaluation mode.
        """
        layers = [getattr(layer, "layer", layer) for layer in model.get_decoder().layers]
        known = model.config.get_text_config().model_type in KINDS and all(_is_known(layer) for layer in layers)
        if not known or model.dtype != torch.float32 or not _turns_alike(model):
            return None
        return cls(model, layers)

    def step(
        self, cache: SlotCache, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Read one more token in each of the first slots.

        Args:
            cache: Where keys and values are, made ready for the step.
            tokens: The tokens, int64 [batch].
            positions: Their positions, int64 [batch], none beyond the token's place in its slot.
            mask: 0 for what a token may see of its slot and -inf elsewhere, [batch, 1, 1, past]; None where it may
                see all that the cache shows.

        Returns:
            Logits of the next tokens, float32 [batch, vocabulary].
        """
        if len(self._turns) < cache.room:
            self._turns = self._table(cache.room)
        cosines, sines = self._turns[positions].unbind(1)
        hidden: torch.Tensor = self._embeddings(tokens)
        for number, layer in enumerate(self._layers):
            asked, keys, values = self._projected(layer, hidden, cosines, sines)
            hidden = self._one_token(layer, number, hidden, (asked, keys, values), cache, mask)
        return self._logits(hidden)

    def step_along(
        self, cache: SlotCache, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Read several tokens in the first slot.

        Args:
            cache: Where keys and values are, made ready for the stretch.
            tokens: The tokens, int64 [length].
            positions: Their positions, int64 [length], none beyond the token's place in its slot.
            mask: 0 for what each token may see of the slot and -inf elsewhere, [1, 1, length, past].

        Returns:
            Logits of the token after each, float32 [length, vocabulary].
        """
        if len(self._turns) < cache.room:
            self._turns = self._table(cache.room)
        cosines, sines = self._turns[positions].unbind(1)
        hidden: torch.Tensor = self._embeddings(tokens)
        length = len(tokens)
        for number, layer in enumerate(self._layers):
            made = self._projected(layer, hidden, cosines, sines)
            asked, keys, values = (part.view(1, length, -1, self._width).transpose(1, 2) for part in made)
            keys, values = cache.update(keys, values, number)
            seen, _ = slot_attention(self._norm, asked, keys, values, mask, self._scale)
            hidden = self._onwards(layer, hidden, seen.reshape(length, -1))
        return self._logits(hidden)

    def read(
        self, cache: SlotCache, embedded: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Read prompts, or their last parts, into slots.

        Args:
            cache: Made ready for them.
            embedded: The tokens' vectors, pictures in their places, [prompts, length, width].
            positions: int64 [*axes, prompts, length].
            mask: 0 for what each token may see of its slot and -inf elsewhere, [prompts, 1, length, past]; None for
                whole prompts.

        Returns:
            Logits of each prompt's next token, float32 [prompts, vocabulary].
        """
        batch, length, size = embedded.shape
        cosines, sines = self._angles(embedded, positions)
        hidden = embedded.reshape(batch * length, size)
        for number, layer in enumerate(self._layers):
            made = self._projected(layer, hidden, cosines, sines)
            rows = [part.view(batch, length, -1, self._width) for part in made]
            asked, keys, values = (part.transpose(1, 2) for part in rows)
            keys, values = cache.update(keys, values, number)
            if number < len(self._layers) - 1:
                seen, _ = slot_attention(self._norm, asked, keys, values, mask, self._scale)
                hidden = self._onwards(layer, hidden, seen.reshape(batch * length, -1))
        # What leaves the last layer is wanted of each prompt's last token alone.
        last, columns = cache.last, cache.last_columns
        assert last is not None  # noqa: S101 - prompts are being read
        each = torch.arange(batch, device=columns.device)
        ends = slot_mask(columns, cache.begin_last_tokens(), embedded.dtype)
        asked, keys, values = (part[each, last] for part in rows)
        hidden = hidden.view(batch, length, size)[each, last]
        return self._logits(self._one_token(layer, number, hidden, (asked, keys, values), cache, ends))

    def _projected(
        self, layer: _Layer, hidden: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Make queries, keys and values of rows, turned by their positions, each [rows, heads, width of a head]."""
        functional, heads, kept, width = nn.functional, self._heads, self._kept, self._width
        normed = functional.rms_norm(hidden, hidden.shape[-1:], layer.before, layer.before_eps)
        made = functional.linear(normed, layer.inputs.weight, layer.inputs.bias).view(-1, heads + 2 * kept, width)
        turned = made[:, : heads + kept]
        turned = torch.addcmul(turned * cosines, turned.roll(width // 2, -1), sines)
        return turned[:, :heads], turned[:, heads:], made[:, heads + kept :]

    def _one_token(
        self,
        layer: _Layer,
        number: int,
        hidden: torch.Tensor,
        made: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        cache: SlotCache,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """Run the rest of a layer for one token of each slot, [batch, width]."""
        asked, keys, values = made
        batch, heads, width = asked.shape
        past, values = cache.update(keys[:, :, None], values[:, :, None], number)
        # The query heads that share a key-value head take the place of query positions, so nothing is repeated.
        asked = asked.reshape(batch, self._kept, heads // self._kept, width)
        seen = nn.functional.scaled_dot_product_attention(asked, past, values, attn_mask=mask, scale=self._scale)
        return self._onwards(layer, hidden, seen.reshape(batch, heads * width))

    @staticmethod
    def _onwards(layer: _Layer, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Add what rows have seen, and what the layer makes of that, [rows, width]."""
        hidden = torch.addmm(hidden, seen, layer.mixed)
        normed = nn.functional.rms_norm(hidden, hidden.shape[-1:], layer.after, layer.after_eps)
        gates, ups = nn.functional.linear(normed, layer.gates.weight, layer.gates.bias).chunk(2, -1)
        return torch.addmm(hidden, nn.functional.silu(gates).mul_(ups), layer.down)

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        eps = self._norm.variance_epsilon
        logits: torch.Tensor = self._head(nn.functional.rms_norm(hidden, hidden.shape[-1:], self._norm.weight, eps))
        return logits

    def _table(self, length: int) -> torch.Tensor:
        """Compute the first positions' cosines and sines, [positions, 2, 1, width of a head]."""
        positions = torch.arange(length, device=self._norm.weight.device)
        return torch.stack(self._angles(self._norm.weight, positions[None]), dim=1)

    def _angles(self, like: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute cosines and sines of positions, [rows, 1, width]; half of the sines have their signs changed.

        Half a head's width away is what a number is turned with, from the first half with a minus.
        """
        cosines, sines = (part.reshape(-1, 1, part.shape[-1]) for part in self._rotary(like, positions))
        half = sines.shape[-1] // 2
        return cosines, torch.cat([-sines[..., :half], sines[..., half:]], dim=-1)


def _is_known(layer: Any) -> bool:
    """Whether a layer is made of the parts above, of these alone, and has biases only where they are added."""
    if {name for name, _ in layer.named_children()} != _LAYER:
        return False
    attention, mlp = layer.self_attn, layer.mlp
    parts = (
        {name for name, _ in attention.named_children()} - {"rotary_emb"},
        {name for name, _ in mlp.named_children()},
    )
    if parts != (_ATTENTION, _MLP) or attention.o_proj.bias is not None or mlp.down_proj.bias is not None:
        return False
    linear = (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj, mlp.gate_proj, mlp.up_proj)
    if not all(type(each) is nn.Linear for each in (*linear, mlp.down_proj)):
        return False
    return type(mlp.act_fn).__name__ in ("SiLU", "SiLUActivation")


def _turns_alike(model: PreTrainedModel) -> bool:
    kind = getattr(getattr(model.get_decoder(), "rotary_emb", None), "rope_type", None)
    return kind in _TURNS
