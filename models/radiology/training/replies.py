"""Replies from cached features, many at once: greedy ones, and sampled ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from models.radiology.data.prompts import Row
from models.radiology.training.batches import Encoder
from models.radiology.training.beginnings import Beginnings, as_cache
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

    def __call__(self, logits: Tensor, counts: Sequence[int]) -> list[list[int]]:
        """Draw tokens: float32 [rows, vocabulary] and how many each row is drawn -> these of each row."""
        values, tokens = (logits / self.temperature).topk(self.top_k)
        chances = values.softmax(-1)
        before = chances.cumsum(-1) - chances
        kept = chances.masked_fill(before >= self.top_p, 0.0)
        drawn = torch.multinomial(kept, max(counts), replacement=True, generator=self.generator)
        found: list[list[int]] = tokens.gather(1, drawn).tolist()
        return [own[:count] for own, count in zip(found, counts, strict=True)]


@dataclass(slots=True)
class _Line:
    """A reply in the making, of all samples of a prompt that have said the same so far: they are computed once.

    Attributes:
        prompt: Place of the prompt in the batch.
        samples: Places of the samples.
        said: Tokens.
        told: At each of them the likeliest tokens, their log-probabilities first.
    """

    prompt: int
    samples: list[int]
    said: list[int] = field(default_factory=list)
    told: list[tuple[Tensor, Tensor]] = field(default_factory=list)


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
    beginnings: Beginnings | None = None,
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
        beginnings: Keeps what prompts begin with; None to read each prompt as a whole.

    Returns:
        The replies to each row, one or as many as are drawn, without the end of the turn.
    """
    prompts = [encoder.prompt(row) for row in rows]
    begun = None if beginnings is None else beginnings.of(rows)
    if begun is not None:
        prompts = [prompt[len(each.ids) :] for prompt, each in zip(prompts, begun, strict=True)]
    order = sorted(
        range(len(rows)), key=lambda place: (len(prompts[place]), 0 if begun is None else len(begun[place].ids))
    )
    found: dict[int, list[Completion]] = {}
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        ids, mask = _padded(encoder, [prompts[place] for place in places])
        embedded = model.get_input_embeddings()(ids)
        cache = None
        if begun is not None:
            cache, before = as_cache([begun[place] for place in places])
            mask = torch.cat([before, mask], dim=1)
        elif views := [view for place in places if (view := rows[place].features) is not None]:
            embedded = model.placed(embedded, ids, features[views].float())
        found |= dict(zip(places, _replied(model, encoder, embedded, mask, cache, alternatives, drawing), strict=True))
    return [found[place] for place in range(len(rows))]


def _padded(encoder: Encoder, prompts: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    pad = int(encoder.tokenizer.pad_token_id or 0)
    length = max(map(len, prompts))
    ids, mask = torch.full((len(prompts), length), pad), torch.zeros(len(prompts), length, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, length - len(prompt) :] = torch.tensor(prompt)
        mask[row, length - len(prompt) :] = 1
    return ids, mask


def _replied(
    model: JoinedForConditionalGeneration,
    encoder: Encoder,
    embedded: Tensor,
    mask: Tensor,
    cache: Any,
    alternatives: int,
    drawing: Drawing | None,
) -> list[list[Completion]]:
    end = int(encoder.tokenizer.eos_token_id or 0)
    choose: Callable[[Tensor, Sequence[int]], list[list[int]]] = drawing or _likeliest
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -embedded.shape[1] :]
    output = model.language_model(
        inputs_embeds=embedded, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True,
        logits_to_keep=1,
    )  # fmt: skip
    copies = 1 if drawing is None else drawing.count
    lines = [_Line(prompt, list(range(copies))) for prompt in range(len(mask))]
    found: dict[tuple[int, int], Completion] = {}
    while True:
        cache, logits = output.past_key_values, output.logits[:, -1].float()
        likely = logits.log_softmax(-1).topk(alternatives) if alternatives else None
        tokens = choose(logits, [len(line.samples) for line in lines])
        going: list[_Line] = []
        parents: list[int] = []
        for place, (line, drawn) in enumerate(zip(lines, tokens, strict=True)):
            told = line.told if likely is None else [*line.told, (likely.values[place], likely.indices[place])]
            for token in dict.fromkeys(drawn):
                samples = [sample for sample, own in zip(line.samples, drawn, strict=True) if own == token]
                longer = _Line(line.prompt, samples, [*line.said, token], told)
                if token == end or len(longer.said) == MOST_TOKENS:
                    reply = _completion(encoder, longer, end)
                    found |= {(line.prompt, sample): reply for sample in samples}
                else:
                    going.append(longer)
                    parents.append(place)
        if not going:
            break
        if parents != list(range(len(lines))):
            cache.batch_select_indices(torch.tensor(parents))
            mask = mask[parents]
        lines = going
        mask = torch.cat([mask, torch.ones(len(mask), 1, dtype=torch.long)], dim=1)
        output = model.language_model(
            input_ids=torch.tensor([[line.said[-1]] for line in lines]), attention_mask=mask,
            position_ids=mask.sum(1, keepdim=True) - 1, past_key_values=cache, use_cache=True, logits_to_keep=1,
        )  # fmt: skip
    return [[found[prompt, sample] for sample in range(copies)] for prompt in range(len(embedded))]


def _likeliest(logits: Tensor, counts: Sequence[int]) -> list[list[int]]:
    return [[token] * count for token, count in zip(logits.argmax(-1).tolist(), counts, strict=True)]


def _completion(encoder: Encoder, line: _Line, end: int) -> Completion:
    ids = line.said
    length = ids.index(end) if end in ids else len(ids)
    text = str(encoder.tokenizer.decode(ids[:length], skip_special_tokens=True))
    reason = "stop" if end in ids else "length"
    if not line.told:
        return Completion(text, reason)
    word = encoder.tokenizer.decode
    tokens = [str(word([token])) for token in ids[:length]]
    likely = []
    for values, places in line.told[:length]:
        found: dict[str, float] = {}
        for token, value in zip(places.tolist(), values.tolist(), strict=True):
            found.setdefault(str(word([token])), value)  # of tokens that read alike the likeliest
        likely.append(found)
    return Completion(text, reason, likely, tokens)
