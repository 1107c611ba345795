"""Untrained contrastive models of a few thousand parameters, saved as users have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    ViTConfig,
)

from models.contrastive.networks import train_tokenizer

SIDE = 28
_TEXT: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
_PICTURE: dict[str, Any] = {**_TEXT, "image_size": SIDE, "patch_size": 14}


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level, lower case, with a first and a last token."""
    return train_tokenizer(["left right upper lower a picture of the"])


def save_clip(path: Path) -> Path:
    """A CLIPModel."""
    tokens = tokenizer()
    ends = {"bos_token_id": tokens.bos_token_id, "eos_token_id": tokens.eos_token_id, "pad_token_id": 0}
    text = {**_TEXT, **ends, "vocab_size": len(tokens), "max_position_embeddings": 48}
    config = CLIPConfig(text_config=text, vision_config=_PICTURE, projection_dim=12)
    return _save(CLIPModel, config, tokens, path)


def save_siglip(path: Path) -> Path:
    """A SiglipModel, whose texts begin with no token of their own."""
    tokens = tokenizer()
    plain = PreTrainedTokenizerFast(tokenizer_object=tokens.backend_tokenizer, pad_token="<|pad|>", model_max_length=48)
    text = {**_TEXT, "vocab_size": len(tokens), "max_position_embeddings": 48, "projection_size": 16}
    return _save(SiglipModel, SiglipConfig(text_config=text, vision_config=_PICTURE), plain, path)


def save_dual(path: Path) -> Path:
    """A ViT and a BERT that were joined, as weights like BiomedCLIP's are."""
    tokens = tokenizer()
    text = BertConfig(**_TEXT, vocab_size=len(tokens), max_position_embeddings=48, pad_token_id=0)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(ViTConfig(**_PICTURE), text, projection_dim=12)
    return _save(VisionTextDualEncoderModel, config, tokens, path)


def _save(kind: Any, config: Any, tokens: PreTrainedTokenizerFast, path: Path) -> Path:
    torch.manual_seed(3)
    kind(config).save_pretrained(path)
    tokens.save_pretrained(path)
    CLIPImageProcessorPil(size={"height": SIDE, "width": SIDE}, do_center_crop=False).save_pretrained(path)
    return path
