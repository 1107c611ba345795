"""The contrastive miniature's network and tokenizer: a standard CLIPModel, only small."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

from models.recipe.networks.architecture import IMAGE_SIDE, PATCH

NAME = "contrastive-mini-1"
# The end's number must not be 2: CLIPModel would take the text's greatest number for its end.
PAD, BEGIN, UNKNOWN, END = "<|pad|>", "<|begin|>", "<|unknown|>", "<|end|>"
VOCABULARY = 512
LONGEST_TEXT = 64
"""Tokens: a context of sixteen, a name, and room for long options."""


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Learn a byte-level vocabulary of lower-case text."""
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, BEGIN, UNKNOWN, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    begin, end = backend.token_to_id(BEGIN), backend.token_to_id(END)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}", special_tokens=[(BEGIN, begin), (END, end)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        model_max_length=LONGEST_TEXT,
    )


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> CLIPModel:
    """Make an untrained model (about 0.6 M parameters)."""
    tower = {"hidden_act": "gelu", "attention_dropout": 0.0}
    config = CLIPConfig(
        text_config={
            **tower,
            "vocab_size": len(tokenizer),
            "hidden_size": 96,
            "intermediate_size": 256,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": LONGEST_TEXT,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            **tower,
            "hidden_size": 96,
            "intermediate_size": 384,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "image_size": IMAGE_SIDE,
            "patch_size": PATCH,
        },
        projection_dim=96,
        logit_scale_init_value=2.6592,
    )
    torch.manual_seed(seed)
    model = CLIPModel(config)
    with torch.no_grad():
        # CLIP's own are a twentieth of what a patch brings along: a small tower would learn for hours where things lie.
        model.vision_model.embeddings.position_embedding.weight[1:] = grid_waves(IMAGE_SIDE // PATCH, 96)
    return model


def grid_waves(side: int, width: int) -> torch.Tensor:
    """Make position vectors of a square grid: sines and cosines of rows and of columns, a quarter of the width each.

    Returns:
        float32 [side * side, width], row by row.
    """
    place = torch.arange(side, dtype=torch.float32)[:, None]
    waves = place * torch.pi / side * torch.arange(1, width // 4 + 1)[None] / 4
    axis = torch.cat([waves.sin(), waves.cos()], dim=-1)
    rows, columns = axis[:, None].expand(-1, side, -1), axis[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=-1).reshape(side * side, width)
