"""A LLaVA of 137 million parameters for vLLM: the pretrained SmolLM2 behind a picture tower that nobody trained.

A real server takes as long over it as over a trained model of its size and shape. What it says about a picture is worth
nothing, so it serves to time answers and for nothing else.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, CLIPVisionConfig, LlamaForCausalLM, LlavaConfig, LlavaForConditionalGeneration

from services.common.engine.parts.__main__ import named_parts
from services.common.engine.parts.store import PartStore

_IMAGE = "<image>"
_SIDE, _PATCH = 224, 32


def make_llava(place: Path, named_by: Path, parts: Path) -> Path:
    """Join the language part that a model names with an untrained tower, as a Hugging Face directory.

    Args:
        place: The directory to be made; one that is whole is left as it is.
        named_by: Directory of a model whose config.json names SmolLM2 as a part, such as models/radiology-1.
        parts: Where converted parts are kept.

    Returns:
        The directory. A picture becomes 49 of its tokens.

    Raises:
        EngineError: If the part's package is not installed.

    Example:
        make_llava(Path("build/llava"), Path("models/radiology-1"), Path("build/parts"))
    """
    if (place / "processor_config.json").exists():  # written last
        return place
    part = next(each for each in named_parts([named_by]) if each.folder.startswith("smollm2"))
    language_directory = PartStore(parts).directory(part)
    language: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(language_directory)
    tokenizer = AutoTokenizer.from_pretrained(language_directory)
    tokenizer.add_special_tokens({"additional_special_tokens": [_IMAGE]})
    language.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    torch.manual_seed(0)
    tower = CLIPVisionConfig(
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=_SIDE,
        patch_size=_PATCH,
        projection_dim=256,
    )
    config = LlavaConfig(
        vision_config=tower,
        text_config=language.config,
        image_token_index=len(tokenizer) - 1,
        vision_feature_layer=-1,
        image_seq_length=(_SIDE // _PATCH) ** 2,
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    model.model.language_model.load_state_dict(language.model.state_dict())
    place.mkdir(parents=True, exist_ok=True)
    save_file(_named_as_vllm_reads(model.state_dict()), place / "model.safetensors", metadata={"format": "pt"})
    config.architectures = [type(model).__name__]
    config.save_pretrained(place)
    tokenizer.save_pretrained(place)
    shutil.copy(language_directory / "chat_template.jinja", place)
    _write(place / "preprocessor_config.json", _PICTURES)
    _write(place / "processor_config.json", _PROCESSOR)
    return place


def _named_as_vllm_reads(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    # vLLM's tower keeps the level that transformers 5 dropped; the tied head is the embeddings.
    tower, named = "model.vision_tower.", {}
    for name, weight in weights.items():
        if name != "lm_head.weight":
            named[name.replace(tower, f"{tower}vision_model.") if f"{tower}vision_model." not in name else name] = (
                weight
            )
    return {name: weight.contiguous() for name, weight in named.items()}


_PICTURES = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": _SIDE},
    "do_center_crop": True,
    "crop_size": {"height": _SIDE, "width": _SIDE},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "do_convert_rgb": True,
}
_PROCESSOR = {
    "processor_class": "LlavaProcessor",
    "patch_size": _PATCH,
    "vision_feature_select_strategy": "default",
    "image_token": _IMAGE,
    "num_additional_image_tokens": 1,
}


def _write(file: Path, content: dict[str, object]) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
