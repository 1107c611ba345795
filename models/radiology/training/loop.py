"""The training loop of both language stages: steps, checkpoints by validation loss, and going on after a stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.radiology.training.batches import Batch
from models.radiology.training.network import hidden_states, reply_loss
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration

Extra = Callable[[Tensor, Batch], Tensor]
"""A loss beside the reply's: float32 hidden states [rows, length, width] and the batch -> a number."""


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """Length and step sizes.

    Attributes:
        steps: Steps of the optimizer.
        batch: Rows a step.
        projector_rate: Learning rate of the projector.
        adapter_rate: Learning rate of the low-rank matrices.
        warmup: Steps until the rates are reached; cosine decay from there to a tenth.
        check_from: First step after which the validation loss is measured.
        check_every: Steps between two measurements.
    """

    steps: int
    batch: int = 32
    projector_rate: float = 1e-3
    adapter_rate: float = 6e-4
    warmup: int = 6
    check_from: int = 20
    check_every: int = 10

    def share(self, step: int) -> float:
        """Share of the learning rates at a step, 0 to 1."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done))

    def checks(self, step: int) -> bool:
        """Whether the validation loss is measured after a step, counted from 1."""
        return step == self.steps or (step >= self.check_from and (step - self.check_from) % self.check_every == 0)


def trained(model: JoinedForConditionalGeneration) -> dict[str, Tensor]:
    """Gather the tensors that training changes: projector and low-rank matrices."""
    return {name: value.detach() for name, value in model.named_parameters() if value.requires_grad}


def load_trained(model: JoinedForConditionalGeneration, file: Path) -> None:
    """Put tensors of `trained` back.

    Raises:
        ValueError: If the file is of another model.
    """
    outcome = model.load_state_dict(load_file(file), strict=False)
    if outcome.unexpected_keys or set(outcome.missing_keys) & set(trained(model)):
        raise ValueError(f"{file.name} does not fit the model")


def train(
    model: JoinedForConditionalGeneration,
    draws: Iterator[Batch],
    held: Sequence[Batch],
    features: Tensor,
    settings: LoopSettings,
    file: Path,
    log: Callable[[str], None],
    *,
    aside: nn.Module | None = None,
    extra: Extra | None = None,
) -> dict[str, object]:
    """Train, and leave the model as it was where its validation loss was least.

    Args:
        model: Trained in place.
        draws: Batches without end.
        held: Batches of other pictures, for the validation loss.
        features: Cached features of all views.
        settings: Length and step sizes.
        file: Where the best tensors are kept.
        log: Takes lines of progress.
        aside: A module that is trained along and thrown away, for `extra`.
        extra: A loss to add.

    Returns:
        Validation losses by step, the best step, and seconds a step.
    """
    adapter = [value for name, value in model.named_parameters() if value.requires_grad and ".lora_" in name]
    projector = list(model.projector.parameters())
    groups = [
        {"params": projector, "rate": settings.projector_rate, "lr": 0.0},
        {"params": adapter, "rate": settings.adapter_rate, "lr": 0.0},
    ]
    if aside is not None:
        groups.append({"params": list(aside.parameters()), "rate": settings.projector_rate, "lr": 0.0})
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01)
    losses: dict[str, float] = {}
    best, best_step, began, spent = math.inf, 0, time.monotonic(), 0.0
    for step in range(1, settings.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * settings.share(step - 1)
        batch = next(draws)
        started = time.monotonic()
        hidden = hidden_states(model, batch, features)
        loss = reply_loss(model, hidden, batch)
        beside = extra(hidden.float(), batch) if extra is not None else torch.zeros(())
        optimizer.zero_grad()
        (loss + beside).backward()
        nn.utils.clip_grad_norm_([*adapter, *projector], 1.0)
        optimizer.step()
        spent += time.monotonic() - started
        line = f"step {step} of {settings.steps} loss {loss.item():.3f} beside {beside.item():.3f}"
        if settings.checks(step):
            losses[str(step)] = round(validation_loss(model, held, features), 4)
            line += f" validation {losses[str(step)]:.4f}"
            if losses[str(step)] < best:
                best, best_step = losses[str(step)], step
                save_file(trained(model), file)
        log(f"{line} {time.monotonic() - began:.0f} s")
    load_trained(model, file)
    return {"validation_losses": losses, "best_step": best_step, "seconds_a_step": round(spent / settings.steps, 2)}


@torch.no_grad()
def validation_loss(model: JoinedForConditionalGeneration, held: Sequence[Batch], features: Tensor) -> float:
    """Mean loss of held-out batches, by rows."""
    total, rows = 0.0, 0
    for batch in held:
        total += float(reply_loss(model, hidden_states(model, batch, features), batch)) * len(batch.ids)
        rows += len(batch.ids)
    return total / rows
