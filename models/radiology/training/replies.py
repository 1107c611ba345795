"""Replies from cached features, many at once: greedy ones, and sampled ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.radiology.data.prompts import Row
from models.radiology.training.batches import Encoder
from prompt4trust.models import Completion
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration

MOST_TOKENS = 28


@dataclass(frozen=True, slots=True)
class Drawing:
    """Sampling of replies, in the order of the engine: temperature, then the likeliest tokens, then their nucleus.

    Attributes:
        count: Replies to a prompt.
        temperature: Above 0.
        top_p: Nucleus mass, in (0, 1].
        top_k: Most likely tokens that are drawn from, 1 or more.
        generator: Draws.
    """

    count: int
    temperature: float
    top_p: float
    top_k: int
    generator: torch.Generator = field(repr=False)

    def __call__(self, logits: Tensor) -> Tensor:
        """Draw a token each: float32 [rows, vocabulary] -> int64 [rows]."""
        values, tokens = (logits / self.temperature).topk(self.top_k)
        chances = values.softmax(-1)
        before = chances.cumsum(-1) - chances
        kept = chances.masked_fill(before >= self.top_p, 0.0)
        drawn = torch.multinomial(kept, 1, generator=self.generator)
        return tokens.gather(1, drawn)[:, 0]


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
    return [each.text for [each] in completions(model, encoder, rows, features, batch=batch)]


@torch.no_grad()
def completions(
    model: JoinedForConditionalGeneration,
    encoder: Encoder,
    rows: Sequence[Row],
    features: Tensor,
    *,
    batch: int = 64,
    alternatives: int = 0,
    drawing: Drawing | None = None,
) -> list[list[Completion]]:
    """Let the model reply, with what log-probabilities tell.

    Args:
        model: The model.
        encoder: Encodes prompts.
        rows: Questions, views and hints; their answers are not looked at.
        features: Cached features of all views.
        batch: Prompts at a time.
        alternatives: Likeliest tokens to report at each token; 0 for none.
        drawing: Samples replies; None to decode one greedily.

    Returns:
        The replies to each row, one or as many as are drawn, without the end of the turn.
    """
    prompts = [encoder.prompt(row) for row in rows]
    order = sorted(range(len(rows)), key=lambda place: len(prompts[place]))
    found: dict[int, list[Completion]] = {}
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        embedded, mask = _embedded(model, encoder, [prompts[place] for place in places], rows, places, features)
        replies = _replied(model, encoder, embedded, mask, alternatives, drawing)
        copies = len(replies) // len(places)
        for number, place in enumerate(places):
            found[place] = replies[number * copies : (number + 1) * copies]
    return [found[place] for place in range(len(rows))]


def _embedded(
    model: JoinedForConditionalGeneration,
    encoder: Encoder,
    prompts: Sequence[list[int]],
    rows: Sequence[Row],
    places: Sequence[int],
    features: Tensor,
) -> tuple[Tensor, Tensor]:
    pad = int(encoder.tokenizer.pad_token_id or 0)
    length = max(map(len, prompts))
    ids, mask = torch.full((len(prompts), length), pad), torch.zeros(len(prompts), length, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, length - len(prompt) :] = torch.tensor(prompt)
        mask[row, length - len(prompt) :] = 1
    embedded = model.get_input_embeddings()(ids)
    views = [view for place in places if (view := rows[place].features) is not None]
    if views:
        embedded = model.placed(embedded, ids, features[views].float())
    return embedded, mask


def _replied(
    model: JoinedForConditionalGeneration,
    encoder: Encoder,
    embedded: Tensor,
    mask: Tensor,
    alternatives: int,
    drawing: Drawing | None,
) -> list[Completion]:
    end, pad = int(encoder.tokenizer.eos_token_id or 0), int(encoder.tokenizer.pad_token_id or 0)
    choose: Callable[[Tensor], Tensor] = drawing or _likeliest
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    output = model.language_model(
        inputs_embeds=embedded, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1
    )
    cache, logits = output.past_key_values, output.logits[:, -1].float()
    if drawing is not None:
        cache.batch_repeat_interleave(drawing.count)
        logits, mask = (each.repeat_interleave(drawing.count, 0) for each in (logits, mask))
    said = torch.empty(len(logits), 0, dtype=torch.long)
    done = torch.zeros(len(logits), dtype=torch.bool)
    told: list[tuple[Tensor, Tensor]] = []
    while True:
        if alternatives:
            told.append(tuple(logits.log_softmax(-1).topk(alternatives)))
        token = choose(logits).masked_fill(done, pad)
        said = torch.cat([said, token[:, None]], dim=1)
        done |= token == end
        if bool(done.all()) or said.shape[1] == MOST_TOKENS:
            break
        mask = torch.cat([mask, torch.ones(len(mask), 1, dtype=torch.long)], dim=1)
        output = model.language_model(
            input_ids=token[:, None], attention_mask=mask, position_ids=mask.sum(1, keepdim=True) - 1,
            past_key_values=cache, use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        cache, logits = output.past_key_values, output.logits[:, -1].float()
    return [_completion(encoder, said[row], row, told, end) for row in range(len(said))]


def _likeliest(logits: Tensor) -> Tensor:
    return logits.argmax(-1)


def _completion(
    encoder: Encoder, said: Tensor, row: int, told: Sequence[tuple[Tensor, Tensor]], end: int
) -> Completion:
    ids = said.tolist()
    length = ids.index(end) if end in ids else len(ids)
    text = str(encoder.tokenizer.decode(ids[:length], skip_special_tokens=True))
    reason = "stop" if end in ids else "length"
    if not told:
        return Completion(text, reason)
    word = encoder.tokenizer.decode
    tokens = [str(word([token])) for token in ids[:length]]
    likely = []
    for values, places in told[:length]:
        found: dict[str, float] = {}
        for token, value in zip(places[row].tolist(), values[row].tolist(), strict=True):
            found.setdefault(str(word([token])), value)  # of tokens that read alike the likeliest
        likely.append(found)
    return Completion(text, reason, likely, tokens)
