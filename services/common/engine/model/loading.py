"""Models from directories: whole ones, adapters over a part, and those of a vision family."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from services.common.engine.errors import EngineError
from services.common.engine.model.cache import register_attention
from services.common.engine.model.options import ModelOptions
from services.common.engine.parts.low_rank import has_adapter, merge_adapter
from services.common.engine.parts.named_part import NamedPart, parts_of
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.families import family_of, register_families
from services.common.engine.vision.family import VisionFamily
from services.common.engine.weights import Type, load_weights


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to run.

    Attributes:
        network: In evaluation mode, with the engine's attention in its language model.
        tokenizer: Its tokenizer, with a chat template.
        vision: Its sight; None for a text-only model.
    """

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    vision: VisionFamily | None


def load_model(options: ModelOptions) -> LoadedModel:
    """Load a model from a local directory; nothing is fetched and no code from the directory is run.

    Args:
        options: The directory, and how to load it; resolved.

    Returns:
        The model, on its device.

    Raises:
        EngineError: If there is no model there that the engine can run, or a part of it is missing.
    """
    path = options.path
    if not (path / "config.json").is_file():
        raise EngineError(f"there is no model in {path}")
    register_families()
    parts = _named_parts(path)
    store = None if options.parts is None else PartStore(options.parts)
    if parts and store is None:
        raise EngineError(f"{path.name} is made of parts, and no directory for parts is named")
    config = AutoConfig.from_pretrained(path, local_files_only=True)
    attention = register_attention()
    family = family_of(config.model_type) if hasattr(config, "vision_config") else None
    if family is not None:
        network = family.network(path, options.torch_dtype, attention, store)
    elif parts and store is not None:
        network = _adapted(path, parts, store, options.torch_dtype, attention)
    else:
        network = load_weights(AutoModelForCausalLM, path, options.torch_dtype, attention)
    mover: Any = network.to(options.device)  # type: ignore[arg-type]
    return LoadedModel(
        mover.eval(), _tokenizer(path, parts, store), None if family is None else family.load(path, network)
    )


def _named_parts(path: Path) -> dict[str, NamedPart]:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(f"config.json in {path.name} cannot be read: {type(error).__name__}") from None
    return parts_of(config) if isinstance(config, dict) else {}


def _adapted(path: Path, parts: dict[str, NamedPart], store: PartStore, dtype: Type, attention: str) -> PreTrainedModel:
    """Load a text model that is a part, with an adapter where the directory holds one."""
    if "language" not in parts:
        raise EngineError("config.json names parts, but none that is a language model")
    network = load_weights(AutoModelForCausalLM, store.directory(parts["language"]), torch.float32, attention)
    if has_adapter(path):
        merge_adapter(network, path)
    return network if dtype == "auto" else network.to(dtype)  # type: ignore[arg-type]


def _tokenizer(path: Path, parts: dict[str, NamedPart], store: PartStore | None) -> PreTrainedTokenizerBase:
    """Load a directory's tokenizer, or its part's with the directory's chat template."""
    own = any((path / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json"))
    if own or store is None or "language" not in parts:
        loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path, local_files_only=True)
        return loaded
    loaded = AutoTokenizer.from_pretrained(store.directory(parts["language"]), local_files_only=True)
    if (template := path / "chat_template.jinja").is_file():
        loaded.chat_template = template.read_text(encoding="utf-8")
    return loaded
