"""A contrastive model of tiny random parts, in a cache like that of a registry."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from services.common.contrastive.part_towers import WEIGHTS, PartTowers, PartTowersConfig, assembled, trained_tensors
from services.common.engine.parts.lite_tower.config import LiteTowerConfig
from services.common.engine.parts.lite_tower.tower import LiteTower
from services.common.engine.parts.named_part import Form, NamedPart
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.pictures import PREPARATION, SquarePreparation
from tests.services.common.contrastive.tiny import tokenizer

SIDE = 16


def _reference(name: str, form: Form) -> NamedPart:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return NamedPart(name, f"{name}-package", "0.0.1", f"{name}/weights", digest, form, "Apache-2.0")


TINY_TEXT, TINY_PICTURES = _reference("tiny-text", "bert"), _reference("tiny-pictures", "efficientnet_lite")


def text_config() -> BertConfig:
    """A BERT of one layer."""
    measures: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    return BertConfig(
        **measures, num_hidden_layers=1, vocab_size=len(tokenizer()), max_position_embeddings=48, pad_token_id=0
    )


def bert_tokenizer() -> PreTrainedTokenizerFast:
    """The tiny models' tokenizer, as a part has it beside its weights."""
    return tokenizer()


def tiny_contrastive_parts(root: Path) -> PartStore:
    """A text encoder and a picture network, as if they had been converted."""
    torch.manual_seed(5)
    text = root / TINY_TEXT.folder
    BertModel(text_config(), add_pooling_layer=False).save_pretrained(text)
    bert_tokenizer().save_pretrained(text)
    vision = root / TINY_PICTURES.folder
    vision.mkdir(parents=True)
    measures = LiteTowerConfig(stem=8, stages=[[1, 3, 1, 1, 8], [1, 3, 2, 2, 12]], head=24)
    save_file(LiteTower(measures).state_dict(), vision / WEIGHTS)
    (vision / "config.json").write_text(json.dumps(measures.to_dict()))
    return PartStore(root)


def tiny_part_towers(parts: PartStore) -> PartTowers:
    """The model of these parts, its projection random."""
    vision = json.loads((parts.directory(TINY_PICTURES) / "config.json").read_text())
    named = {"vision": TINY_PICTURES.written(), "text": TINY_TEXT.written()}
    torch.manual_seed(6)
    return assembled(PartTowersConfig(text_config(), vision, SIDE, named), parts).eval()


def save_part_towers(directory: Path, parts: PartStore) -> Path:
    """A model's directory."""
    model = tiny_part_towers(parts)
    directory.mkdir(parents=True)
    save_file(trained_tensors(model), directory / WEIGHTS, metadata={"format": "pt"})
    model.config.save_pretrained(directory)
    bert_tokenizer().save_pretrained(directory)
    (directory / PREPARATION).write_text(json.dumps(SquarePreparation(side=SIDE).written()))
    return directory
