"""A lean training forward of the language part: the library's function with fewer passes over memory.

On a CPU most of a small model's step is spent on elementwise work and on changing precision, not on matrix products.
This keeps activations in one precision, folds the scaling into the rotation and shares keys and values among heads
without copying them (a test holds it and the library's forward together).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def run_language(
    language: Any, embedded: Tensor, positions: Tensor, dtype: torch.dtype, hidden_from: Tensor | None = None
) -> tuple[Tensor, list[Tensor]]:
    """Run a Qwen2-VL or Qwen2 text model without cache on sequences padded on the right.

    Args:
        language: the text model.
        embedded: [B, T, width] token embeddings.
        positions: int64 [3, B, T] for Qwen2-VL, [B, T] for Qwen2.
        dtype: precision of the activations; weights are cast to it.
        hidden_from: bool [B, T, T], true where a token (second axis) does not see another one (third), besides those
            that come after it: alternatives to one another may then stand side by side. None where all is seen.

    Returns:
        Hidden states [B, T, width] after the last norm, and each layer's attention weights [B, heads, T, T].
    """
    config = language.config
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    size = config.hidden_size // heads
    count, length, _ = embedded.shape
    cos, sin = (part[:, None].to(dtype) for part in language.rotary_emb(embedded, positions))
    mask = torch.full((length, length), -1e4, dtype=dtype, device=embedded.device).triu(1)
    if hidden_from is not None:
        mask = mask.expand(count, 1, -1, -1).masked_fill(hidden_from[:, None], -1e4)
    mask = torch.cat([mask] * (heads // groups), dim=-2)
    hidden, attentions = embedded.to(dtype), []

    def linear(module: Any, value: Tensor) -> Tensor:
        bias = None if module.bias is None else module.bias.to(dtype)
        return F.linear(value, module.weight.to(dtype), bias)

    def norm(module: Any, value: Tensor) -> Tensor:
        return F.rms_norm(value, (value.shape[-1],), module.weight.to(dtype), module.variance_epsilon)

    def split(value: Tensor, number: int) -> Tensor:
        return value.reshape(count, length, number, size).transpose(1, 2)

    def rotate(value: Tensor, scale: float) -> Tensor:
        half = size // 2
        turned = torch.cat([-value[..., half:], value[..., :half]], dim=-1)
        rotated: Tensor = value * (cos * scale) + turned * (sin * scale)
        return rotated

    for layer in language.layers:
        part = layer.self_attn
        value = norm(layer.input_layernorm, hidden)
        query = rotate(split(linear(part.q_proj, value), heads), part.scaling)
        key = rotate(split(linear(part.k_proj, value), groups), 1.0)
        scores = query.reshape(count, groups, -1, size) @ key.transpose(2, 3) + mask
        weights = scores.softmax(-1)
        mixed = (weights @ split(linear(part.v_proj, value), groups)).reshape(count, heads, length, size)
        hidden = hidden + linear(part.o_proj, mixed.transpose(1, 2).flatten(2))
        value = norm(layer.post_attention_layernorm, hidden)
        gated = F.silu(linear(layer.mlp.gate_proj, value)) * linear(layer.mlp.up_proj, value)
        hidden = hidden + linear(layer.mlp.down_proj, gated)
        attentions.append(weights.reshape(count, heads, length, length))
    return norm(language.norm, hidden), attentions
