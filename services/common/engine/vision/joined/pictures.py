"""Pictures made ready for the picture network: one size for all, normalised."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image

from services.common.engine.errors import EngineError

PREPARATION = "preprocessor_config.json"


@dataclass(frozen=True, slots=True)
class SquarePreparation:
    """How a picture becomes numbers; written and read as a ViTImageProcessor's settings, which does the same.

    The picture is stretched to a square: every token then shows a part of it, none a border. EfficientNet-Lite's own
    normalisation is (shade - 127) / 128.

    Attributes:
        side: Pixels of the square's side.
        mean: Of each channel, on a scale from 0 to 1.
        deviation: Of each channel, on the same scale.
        resample: PIL's filter.
    """

    side: int = 384
    mean: tuple[float, float, float] = (127 / 255,) * 3
    deviation: tuple[float, float, float] = (128 / 255,) * 3
    resample: Image.Resampling = Image.Resampling.BICUBIC

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read a model directory's preprocessor_config.json.

        Raises:
            EngineError: If it is missing or asks for something else than resizing to a square and normalising.
        """
        try:
            found: dict[str, Any] = json.loads((directory / PREPARATION).read_text(encoding="utf-8"))
            size = found["size"]
            made = cls(
                int(size["height"]),
                _three(found["image_mean"]),
                _three(found["image_std"]),
                Image.Resampling(found["resample"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineError(f"{PREPARATION} cannot be read: {type(error).__name__}: {error}") from None
        if made.written() != found:
            raise EngineError(f"{PREPARATION} asks for more than resizing to a square and normalising")
        return made

    def written(self) -> dict[str, Any]:
        """Write the settings as preprocessor_config.json holds them."""
        return {
            "image_processor_type": "ViTImageProcessor",
            "do_resize": True,
            "size": {"height": self.side, "width": self.side},
            "resample": int(self.resample),
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(self.mean),
            "image_std": list(self.deviation),
        }

    def squares(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        """Resize pictures.

        Args:
            pictures: Of any mode and size.

        Returns:
            Their shades, uint8 [pictures, 3, side, side]: a quarter of what they take once normalised.
        """
        size = (self.side, self.side)
        cut = [np.asarray(each.convert("RGB").resize(size, self.resample)).transpose(2, 0, 1) for each in pictures]
        return torch.from_numpy(np.stack(cut))

    def normalised(self, squares: torch.Tensor) -> torch.Tensor:
        """Normalise shades, uint8 [..., 3, side, side], to float32 of the same shape."""
        mean, deviation = (torch.tensor(part)[:, None, None] for part in (self.mean, self.deviation))
        return (squares.float() / 255 - mean) / deviation


def _three(numbers: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(number) for number in numbers)
    return red, green, blue
