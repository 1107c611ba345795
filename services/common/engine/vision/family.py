"""The seam that a family of vision-language models fills: everything in which one family sees unlike another.

A new family is a package beside `qwen2_vl` with a class that follows `VisionFamily`, and a line in `families.FAMILIES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import torch
from PIL import Image
from transformers import PreTrainedModel

from services.common.engine.parts.store import PartStore
from services.common.engine.weights import Type


class Pixels(ABC):
    """A request's pictures as a family keeps them: only the family that made them knows what is inside.

    The engine keeps them for later requests about the same files, so a family may keep in them what it found.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Most bytes that they will ever take; asked for once, when they are kept."""


class VisionFamily(Protocol):
    """Sight of one model: pictures to pixels, tokens and positions, and pixels to what takes the tokens' place.

    `pixels`, `expand` and `positions` may be called from any thread; `place` belongs to the thread that runs the model.
    """

    @classmethod
    def network(cls, path: Path, dtype: Type, attention: str, parts: PartStore | None) -> PreTrainedModel:
        """Load the weights.

        Args:
            path: The model's directory.
            dtype: Of the weights.
            attention: Of the language model, by transformers' name: the engine's own.
            parts: Where pretrained parts lie; None where the engine was told of no such place.

        Returns:
            A model whose forward takes `inputs_embeds`, `position_ids`, `past_key_values`, `logits_to_keep` and an
            additive mask as transformers' causal models do, with `get_input_embeddings` and `get_decoder`.

        Raises:
            EngineError: If weights are missing or do not fit.
        """
        ...

    @classmethod
    def load(cls, path: Path, model: PreTrainedModel) -> Self:
        """Load what the family needs besides the weights.

        Args:
            path: The model's directory, with its image processor's settings.
            model: What `network` gave, on its device.

        Raises:
            EngineError: If the engine cannot prepare pictures as the model's image processor would.
        """
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

        What comes out for a picture must not depend on which others are seen, or texts would.

        Args:
            embeddings: Of the tokens, [prompts, length, width].
            tokens: [prompts, length].
            seen: The prompts' pictures, in the prompts' order; of prompts without pictures nothing.

        Returns:
            Like the embeddings.
        """
        ...
