"""Greedy replies in large batches from cached image tokens: the recipe's own measurements, not the serving engine."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedTokenizerBase

from models.recipe.data.text import image_positions
from models.recipe.networks.tokenizer import TURN_END, VISION_START


@torch.no_grad()
def encode_prompts(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
    """Encode prompts, padded on the left.

    Returns:
        ids [B, T], attention mask [B, T] and rotary positions [3, B, T].
    """
    encodings = tokenizer.backend_tokenizer.encode_batch(list(prompts), add_special_tokens=False)
    length = max(len(encoding.ids) for encoding in encodings)
    ids = torch.full((len(prompts), length), tokenizer.pad_token_id)
    mask = torch.zeros(len(prompts), length, dtype=torch.long)
    positions = torch.zeros(3, len(prompts), length, dtype=torch.long)
    start_id = tokenizer.convert_tokens_to_ids(VISION_START)
    for row, encoding in enumerate(encodings):
        size = len(encoding.ids)
        ids[row, length - size :] = torch.tensor(encoding.ids)
        mask[row, length - size :] = 1
        image = start_id in encoding.ids
        prefix = encoding.ids.index(start_id) + 1 if image else 0
        positions[:, row, length - size :] = image_positions(prefix, size, image)
    return ids, mask, positions


@torch.no_grad()
def first_logits(
    model: Any, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], features: Tensor, device: str
) -> Tensor:
    """Logits [B, V] of the token after each prompt; features [B, 16, 192] are the prompts' image tokens."""
    ids, mask, positions = encode_prompts(tokenizer, prompts)
    hidden = model.model.language_model(
        inputs_embeds=_embed(model, ids.to(device), features),
        attention_mask=mask.to(device),
        position_ids=positions.to(device),
        use_cache=False,
    ).last_hidden_state
    logits: Tensor = model.lm_head(hidden[:, -1])
    return logits.float()


@torch.no_grad()
def greedy_replies(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    features: Tensor | None,
    device: str,
    batch: int = 128,
    limit: int = 48,
) -> list[str]:
    """Decode greedily.

    Args:
        model: the downstream model in evaluation mode.
        tokenizer: the shared tokenizer.
        prompts: rendered prompts.
        features: [len(prompts), 16, 192] image tokens, one picture a prompt; None for text-only prompts.
        device: "cpu" or "cuda".
        batch: prompts at a time.
        limit: most tokens of a reply.

    Returns:
        The replies without special tokens, in order.
    """
    # Neighbours of like length waste less on padding.
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    replies = [""] * len(prompts)
    stop = tokenizer.convert_tokens_to_ids(TURN_END)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        ids, mask, positions = encode_prompts(tokenizer, [prompts[index] for index in chosen])
        own = None if features is None else features[torch.tensor(chosen)]
        embedded = _embed(model, ids.to(device), own)
        mask, positions = mask.to(device), positions.to(device)
        cache = DynamicCache(config=model.config.text_config)
        produced: list[Tensor] = []
        finished = torch.zeros(len(chosen), dtype=torch.bool, device=device)
        at = positions[:, :, -1:]
        for _ in range(limit):
            hidden = model.model.language_model(
                inputs_embeds=embedded,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state
            token = model.lm_head(hidden[:, -1]).argmax(-1)
            produced.append(token.masked_fill(finished, stop))
            finished = finished | (token == stop)
            if bool(finished.all()):
                break
            at = at + 1
            positions = at
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
            embedded = model.model.language_model.embed_tokens(token[:, None])
        for index, tokens in zip(chosen, torch.stack(produced, dim=1).tolist(), strict=True):
            replies[index] = str(tokenizer.decode(tokens, skip_special_tokens=True))
    return replies


def _embed(model: Any, ids: Tensor, features: Tensor | None) -> Tensor:
    embedded: Tensor = model.model.language_model.embed_tokens(ids)
    if features is None:
        return embedded
    rows = features.to(ids.device, embedded.dtype).flatten(0, 1)
    return embedded.masked_scatter((ids == model.config.image_token_id)[..., None], rows)
