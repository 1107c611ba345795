"""Alignment: the projector learns where words are before the language model learns to use what it says."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration

_SHARPNESS = 20.0


def align(
    model: JoinedForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    features: Tensor,
    labels: Sequence[Mapping[str, str]],
    *,
    steps: int,
    seed: int,
    log: Callable[[str], None],
    batch: int = 64,
) -> float:
    """Train the projector so that a picture's mean token lies near the words that say what it shows.

    Args:
        model: The model; only the projector changes.
        tokenizer: The language model's.
        features: Of views, [views, picture tokens, feature width].
        labels: What is known of each view: attribute -> word.
        steps: Steps of the optimizer.
        seed: Of the draws.
        log: Takes lines of progress.
        batch: Views a step.

    Returns:
        Share of labels of the last 20 steps that the nearest word names.
    """
    words: dict[str, list[str]] = {}
    for each in labels:
        for attribute, word in each.items():
            if word not in words.setdefault(attribute, []):
                words[attribute].append(word)
    layer: Any = model.get_input_embeddings()
    embeddings: Tensor = layer.weight.detach().float()
    near = {name: torch.stack([_embedding(embeddings, tokenizer, word) for word in own]) for name, own in words.items()}
    optimizer = torch.optim.AdamW(model.projector.parameters(), lr=1e-3, weight_decay=0.01)
    rng, right, asked = random.Random(f"align {seed}"), 0, 0
    for step in range(steps):
        chosen = rng.sample(range(len(labels)), min(batch, len(labels)))
        mean = model.projector(features[chosen].float()).mean(1)
        losses = []
        for name, directions in near.items():
            rows = [
                (row, words[name].index(labels[view][name])) for row, view in enumerate(chosen) if name in labels[view]
            ]
            if not rows:
                continue
            places, gold = torch.tensor(rows).unbind(1)
            scores = _SHARPNESS * functional.normalize(mean[places], dim=-1) @ directions.t()
            losses.append(functional.cross_entropy(scores, gold))
            if step >= steps - 20:
                right, asked = right + int((scores.argmax(-1) == gold).sum()), asked + len(rows)
        loss = torch.stack(losses).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            log(f"align step {step} loss {loss.item():.3f}")
    return right / max(asked, 1)


def _embedding(embeddings: Tensor, tokenizer: PreTrainedTokenizerBase, word: str) -> Tensor:
    tokens = tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
    return functional.normalize(embeddings[tokens].mean(0), dim=-1)
