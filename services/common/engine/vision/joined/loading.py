"""Joined models from parts and a directory: for serving, with the adapter merged."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from services.common.engine.errors import EngineError
from services.common.engine.parts.lite_tower.tower import LiteTower
from services.common.engine.parts.low_rank import has_adapter, merge_adapter
from services.common.engine.parts.named_part import parts_of
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.config import JoinedConfig
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration
from services.common.engine.vision.joined.projector import Projector
from services.common.engine.weights import load_weights

PROJECTOR = "projector.safetensors"


def load_joined(
    directory: Path, parts: PartStore, *, dtype: torch.dtype = torch.float32, attention: str = "sdpa"
) -> JoinedForConditionalGeneration:
    """Load a joined model for serving.

    Args:
        directory: Holds config.json, projector.safetensors and an adapter in PEFT's layout.
        parts: Where the parts lie, or are put after they were made ready.
        dtype: Of the language model's and the projector's weights; the picture network keeps float32.
        attention: The language model's, by transformers' name.

    Returns:
        The model in evaluation mode, the adapter added to the language model's weights.

    Raises:
        EngineError: If a part or a file is missing, or does not fit.
    """
    config = JoinedConfig.from_pretrained(directory, local_files_only=True)
    model = assembled(config, parts, attention=attention)
    try:
        model.projector.load_state_dict(load_file(directory / PROJECTOR))
    except Exception as error:
        raise EngineError(f"{PROJECTOR} does not fit the model: {type(error).__name__}") from error
    if has_adapter(directory):
        merge_adapter(model.language_model, directory)
    model.language_model.to(dtype)
    model.projector.to(dtype)
    model.train(False)
    return model


def assembled(config: JoinedConfig, parts: PartStore, *, attention: str = "sdpa") -> JoinedForConditionalGeneration:
    """Put a model together of its parts, in float32; the projector has yet to be filled.

    Raises:
        EngineError: If the configuration names no parts, or they do not fit it.
    """
    named = parts_of({"parts": config.parts})
    if set(named) != {"language", "vision"}:
        raise EngineError("a joined model's config.json names two parts, language and vision")
    with torch.device("meta"):
        model = JoinedForConditionalGeneration(config)
    language = load_weights(AutoModelForCausalLM, parts.directory(named["language"]), torch.float32, attention)
    if language.config.hidden_size != config.text_config.hidden_size:
        raise EngineError("the language model is not the one that config.json describes")
    model.tower = _tower(config, parts.directory(named["vision"]))
    model.projector = Projector(config)
    model.language_model = language
    model.config.text_config = language.config
    model.generation_config = language.generation_config
    return model


def _tower(config: JoinedConfig, directory: Path) -> LiteTower:
    tower = LiteTower(config.vision_config)
    try:
        tower.load_state_dict(load_file(directory / "model.safetensors"))
    except Exception as error:
        raise EngineError(f"the picture network does not fit config.json: {type(error).__name__}") from error
    # Channels last is how the CPU's convolutions are fastest.
    return tower.to(memory_format=torch.channels_last).requires_grad_(False).eval()  # type: ignore[call-overload,no-any-return]
