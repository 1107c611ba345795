"""A prompt as a model reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from services.common.engine.vision.family import Pixels


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt, tokenized, with the pictures that it shows.

    Attributes:
        tokens: Token numbers, image tokens expanded.
        positions: int64 [tokens], with leading dimensions where a family of models gives positions several parts.
        next_position: Position of the first generated token; those after it count on.
        pixels: The pictures, None where there are none.
        pictures: Digest of the pictures' files; empty where there are none, and nothing is shared with other prompts.
        text_from: Place behind the last image token.
    """

    tokens: list[int]
    positions: torch.Tensor
    next_position: int
    pixels: Pixels | None = None
    pictures: bytes = b""
    text_from: int = 0

    def extended(self, generated: Sequence[int]) -> Prompt:
        """Append generated tokens."""
        more = torch.arange(self.next_position, self.next_position + len(generated))
        return replace(
            self,
            tokens=[*self.tokens, *generated],
            positions=torch.cat([self.positions, more.expand(*self.positions.shape[:-1], -1)], dim=-1),
            next_position=self.next_position + len(generated),
        )
