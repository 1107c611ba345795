"""How models of the Qwen2-VL family see: image tokens, three-part positions, and what takes the tokens' place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import AutoImageProcessor, PreTrainedModel

from services.common.engine.base import EngineError, InvalidRequestError
from services.common.engine.vision.patches import Patcher, Pixels
from services.common.engine.vision.tower import Tower

if TYPE_CHECKING:
    from services.common.engine.model.prompting import Prompt

_FAMILY = ("qwen2_vl", "qwen2_5_vl")


class VisionInputs:
    """Images to what the model reads.

    Args:
        model: The vision-language model.
        processor: Its image processor.
    """

    def __init__(self, model: PreTrainedModel, processor: Any) -> None:
        self.pixels = Patcher(processor)
        self._tower = Tower(model)
        self._token: int = model.config.image_token_id
        self._side: int = model.config.vision_config.spatial_merge_size

    @classmethod
    def load(cls, path: Path, model: PreTrainedModel) -> VisionInputs:
        """Load the image processor beside a model.

        Raises:
            EngineError: If the model is of another family.
        """
        if model.config.model_type not in _FAMILY:
            raise EngineError(
                f"the in-process engine sees with {' and '.join(_FAMILY)} models; {model.config.model_type} needs vLLM"
            )
        loader: Any = AutoImageProcessor
        return cls(model, loader.from_pretrained(path, local_files_only=True))

    def expand(self, tokens: Sequence[int], pixels: Pixels) -> list[int]:
        """Repeat each image token as often as the image has merged patches."""
        counts = [t * h * w // self._side**2 for t, h, w in pixels.grid.tolist()]
        places = [place for place, token in enumerate(tokens) if token == self._token]
        if len(places) != len(counts):
            raise InvalidRequestError(
                f"There are {len(counts)} images and {len(places)} places for one.", param="messages"
            )
        expanded: list[int] = []
        done = 0
        for place, count in zip(places, counts, strict=True):
            expanded += [*tokens[done:place], *[self._token] * count]
            done = place + 1
        return [*expanded, *tokens[done:]]

    def positions(self, tokens: list[int], pixels: Pixels) -> torch.Tensor:
        """Give each token its temporal, vertical and horizontal position, int64 [3, tokens].

        Text counts on; an image's tokens lie on a grid that begins where the text before it ends, and the text after
        it begins beyond the grid's longest side (M-RoPE, Qwen2-VL, arXiv:2409.12191, section 2.1).
        """
        parts: list[np.ndarray] = []
        start = done = 0
        for frames, height, width in pixels.grid.tolist():
            place = tokens.index(self._token, done)
            parts.append(np.broadcast_to(np.arange(start, start + place - done), (3, place - done)))
            start += place - done
            grid = np.indices((frames, height // self._side, width // self._side)).reshape(3, -1)
            parts.append(start + grid)
            done = place + grid.shape[1]
            start += max(height, width) // self._side
        parts.append(np.broadcast_to(np.arange(start, start + len(tokens) - done), (3, len(tokens) - done)))
        return torch.from_numpy(np.concatenate(parts, axis=1))

    def place(self, embeddings: torch.Tensor, tokens: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """Put what the model sees in the place of image tokens.

        Args:
            embeddings: Of the tokens, [prompts, length, width].
            tokens: [prompts, length].
            prompts: The prompts, in the same order.

        Returns:
            Like the embeddings.
        """
        seen = [prompt.pixels for prompt in prompts if prompt.pixels is not None]
        if not seen:
            return embeddings
        mask = (tokens == self._token)[..., None]
        return embeddings.masked_scatter(mask, self._tower(seen).to(embeddings.dtype))
