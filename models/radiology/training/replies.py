"""Greedy replies from cached features, many at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.radiology.data.prompts import Row
from models.radiology.training.batches import Encoder
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration

MOST_TOKENS = 28


@torch.no_grad()
def greedy_replies(
    model: JoinedForConditionalGeneration, encoder: Encoder, rows: Sequence[Row], features: Tensor, batch: int = 64
) -> list[str]:
    """Let the model reply to rows' prompts.

    Args:
        model: The model.
        encoder: Encodes prompts.
        rows: Questions, views and hints; their answers are not looked at.
        features: Cached features of all views.
        batch: Rows at a time.

    Returns:
        Texts, without the end of the turn.
    """
    prompts = [encoder.prompt(row) for row in rows]
    order = sorted(range(len(rows)), key=lambda place: len(prompts[place]))
    found: dict[int, str] = {}
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        for place, text in zip(places, _part(model, encoder, places, prompts, rows, features), strict=True):
            found[place] = text
    return [found[place] for place in range(len(rows))]


def _part(
    model: JoinedForConditionalGeneration,
    encoder: Encoder,
    places: Sequence[int],
    prompts: Sequence[list[int]],
    rows: Sequence[Row],
    features: Tensor,
) -> list[str]:
    tokenizer = encoder.tokenizer
    end, pad = int(tokenizer.eos_token_id or 0), int(tokenizer.pad_token_id or 0)
    length = max(len(prompts[place]) for place in places)
    ids, mask = torch.full((len(places), length), pad), torch.zeros(len(places), length, dtype=torch.long)
    for row, place in enumerate(places):
        ids[row, length - len(prompts[place]) :] = torch.tensor(prompts[place])
        mask[row, length - len(prompts[place]) :] = 1
    embedded = model.get_input_embeddings()(ids)
    views = [view for place in places if (view := rows[place].features) is not None]
    if views:
        embedded = model.placed(embedded, ids, features[views].float())
    language, cache, said = model.language_model, None, torch.empty(len(places), 0, dtype=torch.long)
    done = torch.zeros(len(places), dtype=torch.bool)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    given: dict[str, Tensor] = {"inputs_embeds": embedded}
    for _ in range(MOST_TOKENS):
        output = language(
            **given,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = output.past_key_values
        token = output.logits[:, -1].argmax(-1).masked_fill(done, pad)
        said = torch.cat([said, token[:, None]], dim=1)
        done |= token == end
        if bool(done.all()):
            break
        mask = torch.cat([mask, torch.ones(len(places), 1, dtype=torch.long)], dim=1)
        positions, given = mask.sum(1, keepdim=True) - 1, {"input_ids": token[:, None]}
    return [str(text) for text in tokenizer.batch_decode(said, skip_special_tokens=True)]
