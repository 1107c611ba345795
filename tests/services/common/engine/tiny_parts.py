"""Tiny random parts and the models that are joined of them, in a cache like that of a registry."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from services.common.engine.parts.lite_tower.config import LiteTowerConfig
from services.common.engine.parts.lite_tower.tower import LiteTower
from services.common.engine.parts.named_part import NamedPart
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.config import JoinedConfig
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration
from services.common.engine.vision.joined.training import AdapterShape, fresh_joined, save_joined
from tests.services.common.engine.tiny import CONTEXT, TEMPLATE, tokenizer

IMAGE_SIDE = 64


def _reference(name: str) -> NamedPart:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return NamedPart(name, f"{name}-package", "0.0.1", f"{name}/weights", digest, "gguf", "Apache-2.0")


TINY_LANGUAGE = _reference("tiny-language")
TINY_VISION = _reference("tiny-vision")


def tiny_parts(root: Path) -> PartStore:
    """A Llama and a picture network of some thousand parameters each, as if they had been converted."""
    store = PartStore(root)
    tokens = tokenizer()
    torch.manual_seed(3)
    language = root / TINY_LANGUAGE.folder
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=CONTEXT,
        eos_token_id=tokens.eos_token_id,
        pad_token_id=tokens.eos_token_id,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(6.0)  # or it would say the same whatever it reads
    model.save_pretrained(language)
    tokens.save_pretrained(language)
    vision = root / TINY_VISION.folder
    vision.mkdir(parents=True)
    measures = LiteTowerConfig(stem=8, stages=[[1, 3, 1, 1, 8], [2, 3, 2, 2, 12], [1, 5, 2, 2, 16]], head=24)
    save_file(LiteTower(measures).state_dict(), vision / "model.safetensors")
    (vision / "config.json").write_text(json.dumps(measures.to_dict()))
    return store


def tiny_joined(parts: PartStore, *, seed: int = 0) -> JoinedForConditionalGeneration:
    """An untrained model of tiny parts, for training in float32."""
    image = tokenizer().convert_tokens_to_ids("<|image_pad|>")
    described = json.loads((parts.directory(TINY_LANGUAGE) / "config.json").read_text())
    seen = json.loads((parts.directory(TINY_VISION) / "config.json").read_text())
    assert isinstance(image, int)
    config = JoinedConfig(described, seen, image_token_id=image, image_size=IMAGE_SIDE, picture_side=2)
    return fresh_joined(
        parts,
        shape=AdapterShape(rank=4, alpha=8),
        language=TINY_LANGUAGE,
        vision=TINY_VISION,
        config=config,
        seed=seed,
        dtype=torch.float32,
    )


def save_tiny_joined(directory: Path, parts: PartStore) -> Path:
    """A model's directory, its projector and adapter random but not without effect."""
    model = tiny_joined(parts)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".lora_B." in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)
            elif name.startswith("projector.") and weight.dim() > 1:
                weight.mul_(4.0)
    save_joined(model, directory, TEMPLATE)
    return directory


def save_tiny_adapter(directory: Path, parts: PartStore) -> Path:
    """A text model as a policy version may be: an adapter over a part, whose tokenizer it uses."""
    base = LlamaForCausalLM.from_pretrained(parts.directory(TINY_LANGUAGE))
    torch.manual_seed(6)
    adapted = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if ".lora_B." in name:
                weight.normal_(0, 0.2)
    adapted.save_pretrained(str(directory))
    config = json.loads((parts.directory(TINY_LANGUAGE) / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "parts": {"language": TINY_LANGUAGE.written()}}))
    (directory / "chat_template.jinja").write_text(TEMPLATE)
    return directory
