"""ConfTuner's loss, which scores all numbers that a model might state at once, and a fine-tune by it.

Cross-entropy needs to be told the number to state. This loss needs only to know whether the answer was right: it is the
Brier score of each number, weighed by its probability, and least in expectation where the model is sure to state its
chance of being right (Li et al., "ConfTuner", arXiv 2508.18847).
"""

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from models.recipe.data.text import Batch, Row, collate
from models.recipe.networks.forward import run_language
from models.recipe.training.language import LanguageSettings, embed
from models.recipe.training.vision import Log, learning_rate_share

NUMBERS = 100
"""Numbers that are scored, 0 to 99 per cent; the miniatures never learn to say 100."""


def conftuner_loss(logits: Tensor, levels: Tensor, right: Tensor) -> Tensor:
    """Sum over all stated numbers of p_k (y - c_k)^2, averaged over the rows.

    Args:
        logits: [B, K] of the numbers; p is their softmax, among these numbers alone.
        levels: [K] the numbers as confidences c, in [0, 1].
        right: [B] y, 1 for a right answer and 0 for a wrong one.

    Returns:
        A number in [0, 1].
    """
    errors = (right[:, None].to(levels) - levels) ** 2
    return (logits.softmax(-1) * errors).sum(-1).mean()


def number_logits(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    features: Tensor | None,
    device: str,
    dtype: torch.dtype,
) -> Tensor:
    """Log-probabilities of all numbers where a reply states one; numbers are written digit by digit.

    Args:
        model: the downstream model.
        tokenizer: the shared tokenizer.
        rows: replies with a number of any value.
        features: cached image tokens, or None if no row has a picture.
        device: where the model is.
        dtype: of the computation.

    Returns:
        [B, 100]: of k >= 10 its two digits' probability, of k < 10 that of the digit and the full stop.
    """
    # What a tokenizer makes of each digit, first and second, and of the full stop behind.
    written = collate(tokenizer, [_stating(rows[0], f"{digit}{digit}") for digit in range(10)])
    (_, first_at), (_, second_at) = written.digits_at[:, :2].T.tolist()
    firsts, seconds = written.ids[:, first_at + 1], written.ids[:, second_at + 1].to(device)
    stop = int(written.ids[0, second_at + 2])
    batch = collate(tokenizer, [_stating(row, "0") for row in rows])
    line, said_at = torch.arange(len(rows)), batch.digits_at[1]
    branched, hidden_from = _side_by_side(batch, said_at, firsts)
    hidden, _ = run_language(
        model.model.language_model,
        embed(model, branched, features, device),
        branched.positions.to(device),
        dtype,
        hidden_from.to(device),
    )
    first = _log_shares(model, hidden[line, said_at])[:, firsts.to(device)]
    branches = said_at[:, None] + 1 + torch.arange(len(firsts))
    after = _log_shares(model, hidden[line[:, None], branches])
    below_ten = first + after[:, :, stop]
    others = (first[:, :, None] + after[:, :, seconds])[:, 1:].flatten(1)
    return torch.cat([below_ten, others], dim=1)


def _stating(row: Row, number: str) -> Row:
    return replace(row, reply=f"{row.reply.rpartition(' ')[0]} {number}.")


def _side_by_side(batch: Batch, said_at: Tensor, tokens: Tensor) -> tuple[Batch, Tensor]:
    """Put tokens in the place of what follows a position of each row, as alternatives that do not see each other.

    Args:
        batch: B rows of T tokens.
        said_at: [B] the position in each row.
        tokens: [K] the alternatives.

    Returns:
        The batch with [B, T + K] tokens, the alternatives from said_at + 1 on and all at that place of the text; and
        bool [B, T + K, T + K], true where one of them would see another (`run_language`).
    """
    count, length = batch.ids.shape
    line, alternatives = torch.arange(count), torch.arange(len(tokens))
    places = said_at[:, None] + 1 + alternatives
    ids = torch.cat([batch.ids, batch.ids[:, :1].expand(-1, len(tokens))], dim=1)
    ids[line[:, None], places] = tokens
    positions = torch.cat([batch.positions, torch.zeros(3, count, len(tokens), dtype=torch.long)], dim=2)
    positions[:, line[:, None], places] = batch.positions[:, line, said_at + 1, None]
    hidden_from = torch.zeros(count, length + len(tokens), length + len(tokens), dtype=torch.bool)
    others = alternatives[:, None] != alternatives
    hidden_from[line[:, None, None], places[:, :, None], places[:, None, :]] = others
    return replace(batch, ids=ids, positions=positions), hidden_from


def train_conftuner(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[tuple[Row, bool]],
    features: Tensor | None,
    settings: LanguageSettings,
    seed: int,
    device: str,
    log: Log,
) -> None:
    """Train the language part in place; the vision tower is not touched.

    Args:
        model: the downstream model.
        tokenizer: the shared tokenizer.
        rows: the model's own replies, and whether each is right.
        features: cached image tokens that rows refer to.
        settings: length and step size.
        seed: of the rows' order.
        device: "cpu" or "cuda".
        log: called with progress lines.
    """
    parameters = [*model.model.language_model.parameters(), *model.lm_head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    rng, began = random.Random(seed), time.monotonic()
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_share(step, settings.steps, settings.warmup)
        loss = _loss(model, tokenizer, rng.sample(rows, min(settings.batch, len(rows))), features, device)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if step % 50 == 0:
            log(f"step {step} loss {loss.item():.4f} {time.monotonic() - began:.0f} s")


@torch.no_grad()
def mean_loss(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[tuple[Row, bool]],
    features: Tensor | None,
    device: str,
) -> float:
    """Average the loss over rows that are not learned from."""
    total = 0.0
    for start in range(0, len(rows), 16):
        part = rows[start : start + 16]
        total += float(_loss(model, tokenizer, part, features, device)) * len(part)
    return total / len(rows)


def _loss(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[tuple[Row, bool]],
    features: Tensor | None,
    device: str,
) -> Tensor:
    replies, right = zip(*rows, strict=True)
    logits = number_logits(model, tokenizer, replies, features, device, torch.float32)
    levels = torch.arange(NUMBERS, device=device) / 100
    return conftuner_loss(logits, levels, torch.tensor(right, device=device))


def _log_shares(model: Any, hidden: Tensor) -> Tensor:
    shares: Tensor = model.lm_head(hidden).float().log_softmax(-1)
    return shares
