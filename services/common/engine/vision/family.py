"""The seam that a family of vision-language models fills: everything in which one family sees unlike another.

A new family is a package beside `qwen2_vl` with a class that follows `VisionFamily`, and a line in `families.FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import torch
from PIL import Image
from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Pixels:
    """A request's pictures as patches.

    Attributes:
        values: float32 [patches, channels * height * width of a patch]; patches that are merged follow one another.
        grid: Patches of each picture in time, height and width, int64 [pictures, 3].
    """

    values: torch.Tensor
    grid: torch.Tensor


class VisionFamily(Protocol):
    """Sight of one model: pictures to pixels, tokens and positions, and pixels to what takes the tokens' place.

    `pixels`, `expand` and `positions` may be called from any thread; `place` belongs to the thread that runs the model.
    """

    @classmethod
    def load(cls, path: Path, model: PreTrainedModel) -> Self:
        """Load what the family needs besides the model.

        Args:
            path: The model's directory, with its image processor.
            model: The model, loaded with `tower_attention`'s attention for its vision tower.

        Raises:
            EngineError: If the engine cannot prepare pictures as the model's image processor would.
        """
        ...

    @staticmethod
    def tower_attention() -> str:
        """Make the vision tower's attention known to transformers and return its name."""
        ...

    @property
    def position_axes(self) -> tuple[int, ...]:
        """Leading dimensions of positions: () where a position is one number, (3,) where it has three parts."""
        ...

    @property
    def picture_token(self) -> int:
        """The token whose place a picture's features take."""
        ...

    def pixels(self, pictures: Sequence[Image.Image]) -> Pixels:
        """Prepare RGB pictures.

        Raises:
            InvalidRequestError: If a picture has a shape that the model does not take.
        """
        ...

    def expand(self, tokens: Sequence[int], pixels: Pixels) -> list[int]:
        """Repeat each picture's token as often as the picture has features.

        Raises:
            InvalidRequestError: If there are more or fewer pictures than places for one.
        """
        ...

    def positions(self, tokens: list[int], pixels: Pixels) -> torch.Tensor:
        """Compute the positions of expanded tokens, int64 [*position_axes, tokens]."""
        ...

    def place(self, embeddings: torch.Tensor, tokens: torch.Tensor, seen: Sequence[Pixels]) -> torch.Tensor:
        """Put the pictures' features in the place of their tokens.

        Args:
            embeddings: Of the tokens, [prompts, length, width].
            tokens: [prompts, length].
            seen: The prompts' pictures, in the prompts' order; of prompts without pictures nothing.

        Returns:
            Like the embeddings.
        """
        ...
