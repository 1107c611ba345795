"""The joined model in training: a lean low-rank forward, embeddings from cached features, hidden states."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import Linear as LowRankLinear
from torch import Tensor, nn
from torch.nn import functional

from models.radiology.training.batches import IGNORED, Batch
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration


def make_lean(model: nn.Module) -> None:
    """Let low-rank layers compute in the frozen weights' type, with the scale in the smaller matrix.

    The library computes them in float32 and scales and adds whole activations; on a CPU with bfloat16 units that
    doubles a step's time. The trained matrices themselves stay float32.
    """
    for module in model.modules():
        if isinstance(module, LowRankLinear):
            layer: Any = module
            layer.forward = _Lean(module)


class _Lean:
    def __init__(self, module: Any) -> None:
        self._base = module.base_layer
        self._down = module.lora_A["default"]
        self._up = module.lora_B["default"]
        self._scale = float(module.scaling["default"])

    def __call__(self, given: Tensor, *_: Any, **__: Any) -> Tensor:
        flat = given.flatten(0, -2)
        inner = functional.linear(flat, self._down.weight.to(flat.dtype))
        plain = functional.linear(flat, self._base.weight)
        up = (self._up.weight * self._scale).to(flat.dtype)
        together: Tensor = torch.addmm(plain, inner, up.t()).unflatten(0, given.shape[:-1])
        return together


def hidden_states(model: JoinedForConditionalGeneration, batch: Batch, features: Tensor) -> Tensor:
    """Run a batch through the language model.

    Args:
        model: The model.
        batch: Rows.
        features: All cached features, [views, picture tokens, feature width].

    Returns:
        Last hidden states [rows, length, width], in the language model's type.
    """
    embedded = model.get_input_embeddings()(batch.ids)
    if len(batch.features):
        embedded = model.placed(embedded, batch.ids, features[batch.features].float())
    found: Tensor = model.get_decoder()(inputs_embeds=embedded, use_cache=False).last_hidden_state
    return found


def reply_loss(model: JoinedForConditionalGeneration, hidden: Tensor, batch: Batch) -> Tensor:
    """Weighted mean cross-entropy of the replies' tokens that count."""
    counted = batch.targets != IGNORED
    logits = model.get_output_embeddings()(hidden[counted]).float()
    losses = functional.cross_entropy(logits, batch.targets[counted], reduction="none")
    weights = batch.weights[counted]
    return (losses * weights).sum() / weights.sum()
