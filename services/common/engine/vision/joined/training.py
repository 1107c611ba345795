"""Joined models for training: fresh ones, frozen features, and directories as they are shipped.

The picture network and the language model stay as they are; the projector and a low-rank adapter on all of the language
model's linear layers are what is trained and saved.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from prompt4trust.files import write_atomically
from services.common.engine.errors import EngineError
from services.common.engine.parts.low_rank import CONFIG, PREFIX, WEIGHTS
from services.common.engine.parts.named_part import EFFICIENTNET_LITE0, SMOLLM2, NamedPart, parts_of
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.config import JoinedConfig
from services.common.engine.vision.joined.loading import PROJECTOR, assembled
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration
from services.common.engine.vision.joined.pictures import PREPARATION, SquarePreparation
from services.common.engine.vision.placeholders import expanded

CHAT_TEMPLATE = (
    "{%- for message in messages -%}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{%- if message['content'] is string -%}{{ message['content'] }}{%- else -%}"
    "{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{ '<empty_output>' }}{%- else -%}{{ part['text'] }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}{{ '<|im_end|>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)
"""SmolLM2's, without the system prompt that it puts ahead of every chat, and with pictures."""

_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """A low-rank adapter's measures.

    Attributes:
        rank: Of the matrices.
        alpha: Their product is scaled by alpha / rank.
        dropout: Share of an adapter's inputs that is dropped in training.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0


def fresh_joined(
    parts: PartStore,
    *,
    shape: AdapterShape | None = None,
    language: NamedPart = SMOLLM2,
    vision: NamedPart = EFFICIENTNET_LITE0,
    config: JoinedConfig | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.bfloat16,
) -> JoinedForConditionalGeneration:
    """Build a model of parts, with a projector and an adapter that know nothing yet.

    Args:
        parts: Where the parts lie, or are put after they were made ready.
        shape: The adapter's measures.
        language: The language model.
        vision: The picture network.
        config: Other measures than the parts' own.
        seed: Of the untrained weights.
        dtype: Of the frozen language model; what is trained is float32.

    Returns:
        The model, in which only projector and adapter take gradients.

    Raises:
        EngineError: If a part cannot be made ready.

    Example:
        ::

            model = fresh_joined(PartStore(Path("var/registry/cache/parts")), seed=1)
            features = picture_features(model, pictures)  # once for each picture
            loss = model(input_ids=tokens, picture_features=features, labels=labels).loss
            save_joined(model, Path("build/radiology"), tokenizer_of(model, parts))
    """
    if config is None:
        described = json.loads((parts.directory(language) / "config.json").read_text(encoding="utf-8"))
        seen = json.loads((parts.directory(vision) / "config.json").read_text(encoding="utf-8"))
        config = JoinedConfig(text_config=described, vision_config=seen)
    config.parts = {"language": language.written(), "vision": vision.written()}
    model = assembled(config, parts)
    generator = torch.Generator().manual_seed(seed)
    model.projector.begin(model.get_input_embeddings().weight, generator)  # type: ignore[arg-type]
    return _adapted(model, shape or AdapterShape(), dtype, seed)


def resume_joined(
    directory: Path, parts: PartStore, *, dtype: torch.dtype = torch.bfloat16
) -> JoinedForConditionalGeneration:
    """Load a saved model to train it on; see `fresh_joined` and `save_joined`."""
    from peft import set_peft_model_state_dict

    model = assembled(JoinedConfig.from_pretrained(directory, local_files_only=True), parts)
    model.projector.load_state_dict(load_file(directory / PROJECTOR))
    saved = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    shape = AdapterShape(int(saved["r"]), int(saved["lora_alpha"]), float(saved["lora_dropout"]))
    model = _adapted(model, shape, dtype, 0)
    tensors = {name.removeprefix(PREFIX): each for name, each in load_file(directory / WEIGHTS).items()}
    outcome: Any = set_peft_model_state_dict(model.language_model, tensors)
    if outcome.unexpected_keys:
        raise EngineError("the adapter is for another model")
    return model


def picture_features(
    model: JoinedForConditionalGeneration,
    pictures: Sequence[Image.Image],
    preparation: SquarePreparation | None = None,
    *,
    batch: int = 8,
) -> torch.Tensor:
    """Compute what the frozen network makes of pictures, which never changes.

    Args:
        model: The model.
        pictures: Of any mode and size.
        preparation: How they are resized and normalised.
        batch: Pictures at a time.

    Returns:
        float32 [pictures, picture tokens, feature width].
    """
    chosen = preparation or SquarePreparation(side=model.config.image_size)
    chunks = [pictures[first : first + batch] for first in range(0, len(pictures), batch)]
    return torch.cat([model.picture_features(chosen.normalised(chosen.squares(chunk))) for chunk in chunks])


def tokenizer_of(model: JoinedForConditionalGeneration, parts: PartStore) -> PreTrainedTokenizerBase:
    """Load the language part's tokenizer, with the chat template of joined models."""
    named = parts_of({"parts": model.config.parts})
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        parts.directory(named["language"]), local_files_only=True
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def with_places(tokens: Sequence[int], config: JoinedConfig) -> list[int]:
    """Repeat each picture's token as often as the picture has features.

    Example:
        >>> with_places([5, 16, 7], JoinedConfig(picture_side=2, image_token_id=16))
        [5, 16, 16, 16, 16, 7]
    """
    return expanded(tokens, config.image_token_id, [config.picture_tokens] * list(tokens).count(config.image_token_id))


def save_joined(
    model: JoinedForConditionalGeneration,
    directory: Path,
    chat_template: str = CHAT_TEMPLATE,
    preparation: SquarePreparation | None = None,
) -> None:
    """Save what was trained, in bfloat16, beside what names the parts.

    Args:
        model: As `fresh_joined` made it, trained.
        directory: Is made if needed; of its other files nothing is changed.
        chat_template: The wording around a chat.
        preparation: How pictures were resized and normalised.
    """
    from peft import get_peft_model_state_dict

    directory.mkdir(parents=True, exist_ok=True)
    projector = {
        name: each.detach().to(torch.bfloat16).contiguous() for name, each in model.projector.state_dict().items()
    }
    save_file(projector, directory / PROJECTOR, metadata={"format": "pt"})
    adapter = {
        PREFIX + name: each.detach().to(torch.bfloat16).contiguous()
        for name, each in get_peft_model_state_dict(model.language_model).items()
    }
    save_file(adapter, directory / WEIGHTS, metadata={"format": "pt"})
    described: dict[str, Any] = model.language_model.peft_config["default"].to_dict()
    kept = {name: described[name] for name in ("peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "bias")}
    kept |= {"target_modules": sorted(described["target_modules"]), "inference_mode": True}
    kept["base_model_name_or_path"] = parts_of({"parts": model.config.parts})["language"].name
    write_atomically(directory / CONFIG, json.dumps(kept, indent=2, default=str) + "\n")
    chosen = preparation or SquarePreparation(side=model.config.image_size)
    write_atomically(directory / PREPARATION, json.dumps(chosen.written(), indent=2) + "\n")
    write_atomically(directory / "chat_template.jinja", chat_template)
    model.config.architectures = [type(model).__name__]
    for each in (model.config, model.config.text_config, model.config.vision_config):
        each._name_or_path = ""  # a path of this machine
    model.config.save_pretrained(directory)
    model.generation_config.save_pretrained(directory)


def _adapted(
    model: JoinedForConditionalGeneration, shape: AdapterShape, dtype: torch.dtype, seed: int
) -> JoinedForConditionalGeneration:
    from peft import LoraConfig, inject_adapter_in_model

    model.requires_grad_(False)
    language: PreTrainedModel = model.language_model.to(dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(
            r=shape.rank,
            lora_alpha=shape.alpha,
            lora_dropout=shape.dropout,
            target_modules=list(_LINEAR),
            task_type="CAUSAL_LM",
        )
        inject_adapter_in_model(config, language)
    for name, weight in language.named_parameters():
        if ".lora_" in name:
            weight.data = weight.data.float()
            weight.requires_grad_(True)
    model.projector.requires_grad_(True)
    return model
