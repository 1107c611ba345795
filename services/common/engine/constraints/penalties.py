"""Penalties, biases and the least probability, by a text's own tokens; as vLLM defines them, and in its order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch

from services.common.engine.interface import Penalties

_STRONG: Final = 0.5
"""A repetition penalty below this enlarges rounding noise to more than twice what near ties are judged by."""


class PenaltyState:
    """A text's tokens as penalties see them.

    Args:
        penalties: What is asked for.
        prompt: The prompt's tokens, which the repetition penalty counts as well.
        width: How many logits the model gives.
        device: Where they are.
    """

    def __init__(self, penalties: Penalties, prompt: Sequence[int], width: int, device: torch.device) -> None:
        self._penalties = penalties
        self._counts = torch.zeros(width, device=device)
        self._repeated = torch.zeros(width, dtype=torch.bool, device=device)
        if penalties.repetition != 1:
            self._repeated[torch.tensor(sorted(set(prompt)), dtype=torch.int64, device=device)] = True
        self._bias: torch.Tensor | None = None
        if penalties.bias:
            tokens, values = zip(*penalties.bias, strict=True)
            self._bias = torch.zeros(width, device=device)
            self._bias[torch.tensor(tokens, device=device)] = torch.tensor(values, device=device)

    def take(self, token: int) -> None:
        """Take the token that was chosen."""
        self._counts[token] += 1
        self._repeated[token] = True

    def apply(self, logits: torch.Tensor, temperature: float, tolerance: float) -> tuple[torch.Tensor, bool]:
        """Change the logits that the next token is chosen by.

        Args:
            logits: float32 [vocabulary].
            temperature: That of the sampling, by which the least probability is measured; 0 is greedy.
            tolerance: What two logits may differ by from rounding alone.

        Returns:
            The changed ones, and whether the choice hangs on rounding.
        """
        wanted = self._penalties
        if self._bias is not None:
            logits = logits + self._bias
        if wanted.repetition != 1:
            changed = torch.where(logits > 0, logits / wanted.repetition, logits * wanted.repetition)
            logits = torch.where(self._repeated, changed, logits)
        if wanted.frequency:
            logits = logits - wanted.frequency * self._counts
        if wanted.presence:
            logits = logits - wanted.presence * (self._counts > 0)
        doubtful = tolerance > 0 and wanted.repetition < _STRONG
        if wanted.min_p > 0 and temperature > 0:
            least = logits.max() + temperature * math.log(wanted.min_p)
            doubtful |= bool(((logits - least).abs() < tolerance).any())
            logits = torch.where(logits < least, -torch.inf, logits)
        return logits, doubtful


def penalise(
    logits: torch.Tensor, states: Sequence[tuple[int, PenaltyState, float]], tolerance: float
) -> tuple[torch.Tensor, set[int]]:
    """Change the logits of a batch by its texts' penalties.

    Args:
        logits: float32 [batch, vocabulary]; they stay as they are.
        states: Rows that have penalties, with their texts' tokens and the temperature.
        tolerance: What two logits may differ by from rounding alone.

    Returns:
        The changed logits, and the rows whose choice hangs on rounding.
    """
    changed = logits.clone()
    unsettled = set()
    for row, state, temperature in states:
        changed[row], doubtful = state.apply(logits[row], temperature, tolerance)
        if doubtful:
            unsettled.add(row)
    return changed, unsettled
