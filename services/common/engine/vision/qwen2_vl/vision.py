"""Sight of the Qwen2-VL family: image tokens, three-part positions, and the features that take the tokens' place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, PreTrainedModel

from services.common.engine.parts.store import PartStore
from services.common.engine.vision.family import Pixels
from services.common.engine.vision.placeholders import expanded
from services.common.engine.vision.qwen2_vl.patches import Patcher, Patches
from services.common.engine.vision.qwen2_vl.tower import Tower, register_picture_attention
from services.common.engine.weights import Type, load_weights


class Qwen2VLVision:
    """Sight of a Qwen2-VL or Qwen2.5-VL model (see VisionFamily).

    Args:
        model: The vision-language model.
        processor: Its image processor.
    """

    def __init__(self, model: PreTrainedModel, processor: Any) -> None:
        self._patcher = Patcher(processor)
        self._tower = Tower(model)
        self._token: int = model.config.image_token_id
        self._side: int = model.config.vision_config.spatial_merge_size

    @classmethod
    def network(cls, path: Path, dtype: Type, attention: str, parts: PartStore | None) -> PreTrainedModel:  # noqa: ARG003
        """Load the weights, with an attention within each of several pictures for the tower (see VisionFamily)."""
        towers = register_picture_attention()
        return load_weights(
            AutoModelForImageTextToText, path, dtype, {"text_config": attention, "vision_config": towers}
        )

    @classmethod
    def load(cls, path: Path, model: PreTrainedModel) -> Self:
        """Load the image processor beside a model; EngineError where it does not resize."""
        loader: Any = AutoImageProcessor
        return cls(model, loader.from_pretrained(path, local_files_only=True))

    @property
    def position_axes(self) -> tuple[int, ...]:
        """Temporal, vertical and horizontal."""
        return (3,)

    @property
    def picture_token(self) -> int:
        """The image token."""
        return self._token

    def pixels(self, pictures: Sequence[Image.Image]) -> Patches:
        """Cut RGB pictures into patches; InvalidRequestError for an aspect ratio beyond what the model takes."""
        return self._patcher(pictures)

    def expand(self, tokens: Sequence[int], pixels: Pixels) -> list[int]:
        """Repeat each image token as often as the picture has merged patches."""
        counts = [t * h * w // self._side**2 for t, h, w in _patches(pixels).grid.tolist()]
        return expanded(tokens, self._token, counts)

    def positions(self, tokens: list[int], pixels: Pixels) -> torch.Tensor:
        """Give each token its temporal, vertical and horizontal position, int64 [3, tokens].

        Text counts on; a picture's tokens lie on a grid that begins where the text before it ends, and the text after
        it begins beyond the grid's longest side (M-RoPE, Qwen2-VL, arXiv:2409.12191, section 2.1).
        """
        parts: list[np.ndarray] = []
        start = done = 0
        for frames, height, width in _patches(pixels).grid.tolist():
            place = tokens.index(self._token, done)
            parts.append(np.broadcast_to(np.arange(start, start + place - done), (3, place - done)))
            start += place - done
            grid = np.indices((frames, height // self._side, width // self._side)).reshape(3, -1)
            parts.append(start + grid)
            done = place + grid.shape[1]
            start += max(height, width) // self._side
        parts.append(np.broadcast_to(np.arange(start, start + len(tokens) - done), (3, len(tokens) - done)))
        return torch.from_numpy(np.concatenate(parts, axis=1))

    def place(self, embeddings: torch.Tensor, tokens: torch.Tensor, seen: Sequence[Pixels]) -> torch.Tensor:
        """Put the vision tower's features in the place of image tokens."""
        mask = (tokens == self._token)[..., None]
        return embeddings.masked_scatter(mask, self._tower([_patches(each) for each in seen]).to(embeddings.dtype))


def _patches(pixels: Pixels) -> Patches:
    assert isinstance(pixels, Patches)  # noqa: S101 - a family is handed what it made
    return pixels
