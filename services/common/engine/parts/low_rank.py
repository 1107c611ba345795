"""Low-rank adapters (LoRA) in PEFT's layout, added to a model's weights once and for all.

PEFT itself is a library for training, and of the trainer alone. Serving needs one sum a layer of it, after which an
adapted model is as fast as any other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from services.common.engine.errors import EngineError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""Beginning of each tensor's name, as PEFT writes it."""
_PLAIN = {"bias": "none", "use_dora": False, "modules_to_save": None, "fan_in_fan_out": False, "rank_pattern": {}}
_LARGEST_RANK = 1024


def has_adapter(directory: Path) -> bool:
    """Whether a model's directory holds an adapter."""
    return (directory / CONFIG).is_file()


@torch.no_grad()
def merge_adapter(model: PreTrainedModel, directory: Path) -> None:
    """Add an adapter's products to a model's weights, in float32.

    Args:
        model: The model that the adapter was made for, in float32.
        directory: Holds adapter_config.json and adapter_model.safetensors.

    Raises:
        EngineError: If the adapter is missing, of another kind, or does not fit the model.
    """
    scale = _scale(directory)
    try:
        tensors = load_file(directory / WEIGHTS)
    except Exception as error:
        raise EngineError(f"{WEIGHTS} cannot be read: {type(error).__name__}") from None
    layers = dict(model.named_modules())
    downs = sorted(name for name in tensors if name.endswith(".lora_A.weight"))
    if not downs or len(tensors) != 2 * len(downs):
        raise EngineError(f"{WEIGHTS} holds something else than pairs of low-rank matrices")
    for name in downs:
        place = name.removeprefix(PREFIX).removesuffix(".lora_A.weight")
        layer, up = layers.get(place), tensors.get(name.replace(".lora_A.", ".lora_B."))
        if not isinstance(layer, torch.nn.Linear) or up is None:
            raise EngineError(f"the adapter is for another model: there is no layer {place}")
        change = scale * (up.float() @ tensors[name].float())
        if change.shape != layer.weight.shape:
            raise EngineError(f"the adapter is for another model: layer {place} has another shape")
        layer.weight.add_(change.to(layer.weight.dtype))


def _scale(directory: Path) -> float:
    try:
        config: dict[str, Any] = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        kind, rank, alpha = config["peft_type"], int(config["r"]), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{CONFIG} cannot be read: {type(error).__name__}: {error}") from None
    unlike = [name for name, value in _PLAIN.items() if config.get(name, value) != value and config.get(name)]
    if kind != "LORA" or not 1 <= rank <= _LARGEST_RANK or unlike:
        raise EngineError(f"{CONFIG} describes no plain LoRA adapter ({', '.join(unlike) or kind})")
    return alpha / rank**0.5 if config.get("use_rslora") else alpha / rank
