"""Sight of joined models: squares, a fixed number of tokens, and features that are computed once a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from transformers import PreTrainedModel

from services.common.engine.errors import EngineError
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.family import Pixels
from services.common.engine.vision.joined.loading import load_joined
from services.common.engine.vision.joined.pictures import SquarePreparation
from services.common.engine.vision.placeholders import expanded
from services.common.engine.weights import Type


@dataclass(slots=True)
class Squares(Pixels):
    """A request's pictures, resized; and what the picture network made of them, once it has looked.

    Attributes:
        shades: uint8 [pictures, 3, side, side].
        feature_bytes: What the features of all pictures take.
        features: float32 [pictures, picture tokens, feature width]; None until the model's thread has looked.
    """

    shades: torch.Tensor
    feature_bytes: int
    features: torch.Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that the pictures take, features included from the beginning."""
        return self.shades.nbytes + self.feature_bytes


class JoinedVision:
    """Sight of a joined model (see VisionFamily).

    Args:
        model: The model.
        preparation: How pictures are made ready for it.

    Raises:
        EngineError: If pictures would be made ready for another size.
    """

    def __init__(self, model: Any, preparation: SquarePreparation) -> None:
        if preparation.side != model.config.image_size:
            raise EngineError("preprocessor_config.json and config.json name different sizes of pictures")
        self._model = model
        self._preparation = preparation
        self._token: int = model.config.image_token_id
        self._count: int = model.config.picture_tokens
        self._feature_bytes = 4 * self._count * int(model.config.feature_width)

    @classmethod
    def network(cls, path: Path, dtype: Type, attention: str, parts: PartStore | None) -> PreTrainedModel:
        """Put the model together of its parts (see VisionFamily); as parts are saved, "auto" is float32."""
        if parts is None:
            raise EngineError(f"{path.name} is made of parts, and no directory for parts is named")
        return load_joined(path, parts, dtype=torch.float32 if dtype == "auto" else dtype, attention=attention)

    @classmethod
    def load(cls, path: Path, model: PreTrainedModel) -> Self:
        """Read how pictures are made ready; EngineError where it is another way than this family's."""
        return cls(model, SquarePreparation.read(path))

    @property
    def position_axes(self) -> tuple[int, ...]:
        """None: positions count on through pictures."""
        return ()

    @property
    def picture_token(self) -> int:
        """The token that the language model was not trained to write, in whose places pictures are."""
        return self._token

    def pixels(self, pictures: Sequence[Image.Image]) -> Squares:
        """Resize pictures; any shape is taken."""
        return Squares(self._preparation.squares(pictures), len(pictures) * self._feature_bytes)

    def expand(self, tokens: Sequence[int], pixels: Pixels) -> list[int]:
        """Repeat each picture's token (see VisionFamily)."""
        return expanded(tokens, self._token, [self._count] * len(_squares(pixels).shades))

    def positions(self, tokens: list[int], pixels: Pixels) -> torch.Tensor:  # noqa: ARG002 - other families look at them
        """Count, int64 [tokens]."""
        return torch.arange(len(tokens))

    def place(self, embeddings: torch.Tensor, tokens: torch.Tensor, seen: Sequence[Pixels]) -> torch.Tensor:
        """Put projected features in the places of pictures (see VisionFamily)."""
        features = torch.cat([self._features(_squares(each)) for each in seen])
        placed: torch.Tensor = self._model.placed(embeddings, tokens, features)
        return placed

    def _features(self, squares: Squares) -> torch.Tensor:
        """Look at a request's pictures, unless that was done before.

        One by one: rounding would otherwise depend on which pictures happen to be read together.
        """
        if squares.features is None:
            device = self._model.device
            looks = [
                self._model.picture_features(self._preparation.normalised(each[None]).to(device))
                for each in squares.shades
            ]
            squares.features = torch.cat(looks)
        return squares.features


def _squares(pixels: Pixels) -> Squares:
    assert isinstance(pixels, Squares)  # noqa: S101 - a family is handed what it made
    return pixels
