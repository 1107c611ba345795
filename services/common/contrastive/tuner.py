"""Tuning of a shared context on few labels, by stochastic gradient descent in epochs that a run can go on from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from services.common.contrastive.losses import (
    angular_separation,
    smoothed_cross_entropy,
    smoothed_mean_calibration,
)

EncodeClasses = Callable[[Sequence[str], Tensor], Tensor]
"""Class names and a context [length, width] -> unit vectors [C, d], differentiable in the context."""


@dataclass(frozen=True, slots=True)
class TuningSettings:
    """How a context is tuned.

    Attributes:
        length: Vectors of the context.
        deviation: Standard deviation of their initial values, whose mean is 0.
        learning_rate: At its highest; a cosine takes it to 0.
        momentum: Of the descent.
        epochs: Passes over the rows.
        warmup_epochs: First epochs, at a rate of 1e-5.
        batch: Rows a step.
        alpha: Label smoothing, of cross-entropy and of the calibration loss.
        calibration: Weight of `smoothed_mean_calibration`.
        separation: Weight of `angular_separation`.
        seed: Of the context and of the order.
    """

    length: int = 16
    deviation: float = 0.02
    learning_rate: float = 0.002
    momentum: float = 0.9
    epochs: int = 50
    warmup_epochs: int = 1
    batch: int = 16
    alpha: float = 0.1
    calibration: float = 1.0
    separation: float = 0.1
    seed: int = 0

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, from 0."""
        if epoch < self.warmup_epochs:
            return _WARMUP_RATE
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))


_WARMUP_RATE = 1e-5


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """Rows of one task.

    Attributes:
        classes: Names of the classes.
        pictures: Unit vectors of the pictures, float32 [n, d].
        labels: Right classes, int64 [n].
    """

    classes: tuple[str, ...]
    pictures: Tensor
    labels: Tensor


class Tuner:
    """Tunes one context for all tasks; the model itself stays as it is.

    Args:
        encode: Encodes class names behind a context.
        width: Of a context vector.
        scale: Factor of the cosines.
        tasks: Rows to learn from.
        settings: How to tune.

    Example:
        >>> def encode(names, context):
        ...     turned = torch.eye(2) + context[:2, :2]
        ...     return turned / turned.norm(dim=-1, keepdim=True)
        >>> rows = LabelledPictures(("left", "right"), torch.eye(2), torch.tensor([0, 1]))
        >>> tuner = Tuner(encode, 2, 10.0, [rows], TuningSettings(epochs=2))
        >>> tuner.run_epoch()["loss"] > 0
        True
        >>> tuner.epoch
        1
    """

    def __init__(
        self,
        encode: EncodeClasses,
        width: int,
        scale: float,
        tasks: Sequence[LabelledPictures],
        settings: TuningSettings,
    ) -> None:
        self._encode = encode
        self._scale = scale
        self._tasks = tasks
        self._settings = settings
        drawn = torch.randn(settings.length, width, generator=torch.Generator().manual_seed(settings.seed))
        self.context = torch.nn.Parameter(drawn * settings.deviation)
        self._optimizer = torch.optim.SGD([self.context], settings.learning_rate, momentum=settings.momentum)
        self.epoch = 0

    @property
    def finished(self) -> bool:
        """Whether all epochs are through."""
        return self.epoch >= self._settings.epochs

    def run_epoch(self) -> dict[str, float]:
        """Run the next epoch.

        Returns:
            Means over its steps: loss, cross_entropy, calibration, separation, accuracy; and learning_rate.
        """
        settings = self._settings
        # Of the epoch alone, so that a run that goes on takes the same steps as one without a break.
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.epoch)
        rate = settings.rate(self.epoch)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        steps = [
            (task, rows)
            for task in self._tasks
            for rows in torch.randperm(len(task.labels), generator=generator).split(settings.batch)
        ]
        totals: dict[str, float] = {}
        for place in torch.randperm(len(steps), generator=generator).tolist():
            for name, value in self._step(*steps[place]).items():
                totals[name] = totals.get(name, 0.0) + value / len(steps)
        self.epoch += 1
        return {**totals, "learning_rate": rate}

    def _step(self, task: LabelledPictures, rows: Tensor) -> dict[str, float]:
        settings, labels = self._settings, task.labels[rows]
        texts = self._encode(task.classes, self.context)
        logits = self._scale * task.pictures[rows] @ texts.T
        entropy = smoothed_cross_entropy(logits, labels, settings.alpha)
        calibration = smoothed_mean_calibration(logits.softmax(dim=-1), labels, settings.alpha)
        separation = angular_separation(texts)
        loss = entropy + settings.calibration * calibration + settings.separation * separation
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return {
            "loss": loss.item(),
            "cross_entropy": entropy.item(),
            "calibration": calibration.item(),
            "separation": separation.item(),
            "accuracy": (logits.argmax(dim=-1) == labels).float().mean().item(),
        }

    def state(self) -> dict[str, Tensor]:
        """Copy what a later `load_state` goes on from: context, momentum and epoch."""
        moving = self._optimizer.state[self.context].get("momentum_buffer")
        return {
            "context": self.context.detach().clone(),
            "momentum": torch.zeros_like(self.context) if moving is None else moving.clone(),
            "epoch": torch.tensor(self.epoch),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to a state; raises ValueError where its context has another shape."""
        if state["context"].shape != self.context.shape:
            raise ValueError(f"the context has the shape {tuple(state['context'].shape)}, another one is needed")
        with torch.no_grad():
            self.context.copy_(state["context"])
        self.epoch = int(state["epoch"])
        if self.epoch:
            self._optimizer.state[self.context]["momentum_buffer"] = state["momentum"].clone()
