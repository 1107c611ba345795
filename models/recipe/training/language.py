"""Training steps of the downstream model's language part, from cached image tokens."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from models.recipe.data.text import IGNORED, Batch, Row, collate
from models.recipe.networks.forward import run_language
from models.recipe.training.vision import Log, learning_rate_share

# Which head follows which link: (layer, head). One layer finds what belongs together, the next one looks it up.
GUIDED_HEADS = {"letter": (0, 0), "finding": (0, 1), "match": (1, 0)}
# This head looks at all options at once where the finding is named, so that a value is chosen that is on offer.
CANDIDATES_HEAD = (2, 0)


@dataclass(frozen=True, slots=True)
class LanguageSettings:
    """Length and step size of a language stage.

    Attributes:
        steps, batch, learning_rate, warmup: as usual; cosine decay.
        guidance: weight of the attention guidance at the start.
        guided_share: share of the steps that are guided.
        key_weight: weight of the finding's and the letter's tokens relative to the reply's other tokens.
        digit_weight: the same for the digits of the confidence.
    """

    steps: int
    batch: int = 64
    learning_rate: float = 1e-3
    warmup: int = 50
    guidance: float = 0.0
    guided_share: float = 0.5
    key_weight: float = 4.0
    digit_weight: float = 1.0


def embed(model: Any, batch: Batch, features: Tensor | None, device: str) -> Tensor:
    """Embed tokens, image tokens replaced by cached features.

    Args:
        model: the downstream model.
        batch: collated rows.
        features: [N, 16, width] cached image tokens, or None if no row has a picture.
        device: where the model is.

    Returns:
        Embeddings [B, T, width].
    """
    ids = batch.ids.to(device)
    embedded: Tensor = model.model.language_model.embed_tokens(ids)
    pictured = batch.features >= 0
    if features is not None and bool(pictured.any()):
        rows = features[batch.features[pictured]].to(device, embedded.dtype).flatten(0, 1)
        embedded = embedded.masked_scatter((ids == model.config.image_token_id)[..., None], rows)
    return embedded


def guidance_loss(attentions: Any, links: dict[str, list[tuple[int, int, int]]]) -> Tensor:
    """Cross-entropy of chosen heads' attention against the links that a look-up needs.

    Left to itself a small model takes thousands of steps to find the two attention hops from a finding to its letter;
    shown which positions belong together it takes a hundred.
    """
    total = torch.zeros((), device=attentions[0].device)
    for name, (layer, head) in GUIDED_HEADS.items():
        if links[name]:
            rows, source, target = torch.tensor(links[name]).unbind(1)
            total = total - (attentions[layer][rows, head, source, target].float() + 1e-6).log().mean()
    if links["candidates"]:
        layer, head = CANDIDATES_HEAD
        rows, source, target = torch.tensor(links["candidates"]).unbind(1)
        weights = attentions[layer][rows, head, source, target].float()
        held, place = rows.unique(return_inverse=True)
        mass = torch.zeros(len(held), device=weights.device).index_add(0, place.to(weights.device), weights)
        total = total - (mass + 1e-6).log().mean()
    return total


def reply_loss(model: Any, hidden: Tensor, batch: Batch, settings: LanguageSettings) -> Tensor:
    """Mean weighted cross-entropy over the reply's tokens that count."""
    targets = batch.targets.to(hidden.device)
    weights = torch.ones(targets.shape, device=hidden.device)
    rows = torch.arange(len(targets), device=hidden.device)
    for places in (batch.finding_at, batch.letter_at):
        weights[rows, places.to(hidden.device)] = settings.key_weight
    weights[tuple(batch.digits_at.to(hidden.device))] = settings.digit_weight
    counted = targets != IGNORED
    losses = F.cross_entropy(model.lm_head(hidden[counted]).float(), targets[counted], reduction="none")
    weights = weights[counted]
    return (losses * weights).sum() / weights.sum()


def train_language(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    draw: Callable[[], list[Row]],
    features: Tensor | None,
    settings: LanguageSettings,
    device: str,
    log: Log,
    check: Callable[[], str] | None = None,
    aside: nn.Module | None = None,
) -> None:
    """Train the language part in place; the vision tower is not touched.

    Args:
        model: the downstream model.
        tokenizer: the shared tokenizer.
        draw: makes one batch of rows.
        features: cached image tokens that rows refer to.
        settings: length and step size.
        device: "cpu" or "cuda".
        log: called with progress lines.
        check: called now and then for a measurement to log.
        aside: throw-away heads, trained along: hidden states [B, T, width] and the batch -> a loss to add.
    """
    parameters = [*model.model.language_model.parameters(), *model.lm_head.parameters()]
    if aside is not None:
        parameters += aside.to(device).parameters()
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.02)
    began, recent = time.monotonic(), 0.0
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_share(step, settings.steps, settings.warmup)
        batch = collate(tokenizer, draw())
        guided = settings.guidance > 0 and step < settings.guided_share * settings.steps
        embedded = embed(model, batch, features, device)
        hidden, attentions = run_language(
            model.model.language_model, embedded, batch.positions.to(device), torch.bfloat16
        )
        loss = reply_loss(model, hidden.float(), batch, settings)
        beside = aside(hidden.float(), batch) if aside is not None else torch.zeros(())
        guide = guidance_loss(attentions, batch.links) if guided else torch.zeros(())
        optimizer.zero_grad()
        (loss + settings.guidance * guide + beside).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        recent = loss.item() if step == 0 else 0.96 * recent + 0.04 * loss.item()
        if step % 50 == 0:
            more = check() if check is not None and step % 200 == 0 else ""
            losses = f"loss {recent:.3f} guide {guide.item():.3f} aside {beside.item():.3f}"
            log(f"step {step} {losses} {more} {time.monotonic() - began:.0f} s")


def by_length(draw: Callable[[], Row], batch: int, pool: int = 8) -> Callable[[], list[Row]]:
    """Draw rows in pools and cut these into batches of like length, which halves the padding.

    Args:
        draw: makes one row.
        batch: rows a batch.
        pool: batches a pool.
    """
    ready: list[list[Row]] = []

    def next_batch() -> list[Row]:
        if not ready:
            rows = sorted((draw() for _ in range(batch * pool)), key=lambda row: len(row.prompt))
            # Interleaved, not shuffled: short and long batches alternate and the draw's generator is left alone.
            cut = list(batches(rows, batch))
            ready.extend(cut[::2] + cut[1::2][::-1])
        return ready.pop()

    return next_batch


def batches(rows: list[Row], size: int) -> Iterator[list[Row]]:
    """Cut rows into batches of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@torch.no_grad()
def letter_accuracy(
    model: Any, tokenizer: PreTrainedTokenizerBase, rows: list[Row], features: Tensor | None, device: str
) -> float:
    """Share of rows whose letter follows from the finding given in the reply (no gradient, greedy)."""
    right = 0
    for part in batches(rows, 128):
        batch = collate(tokenizer, part)
        embedded = embed(model, batch, features, device)
        hidden, _ = run_language(model.model.language_model, embedded, batch.positions.to(device), torch.float32)
        at = torch.arange(len(part)), batch.letter_at
        said = model.lm_head(hidden[at]).argmax(-1).cpu()
        right += int((said == batch.ids[at[0], at[1] + 1]).sum())
    return right / len(rows)
