"""Pictures cut into what the vision tower of the Qwen2-VL family reads.

The same numbers as transformers' image processor gives, bit for bit, in a fraction of its time: that one converts every
picture several times between libraries and multiplies in double precision, which under load is a request's largest
cost outside the model, paid under the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from services.common.engine.errors import EngineError, InvalidRequestError
from services.common.engine.vision.family import Pixels


@dataclass(frozen=True, slots=True)
class Patches(Pixels):
    """A request's pictures as patches.

    Attributes:
        values: float32 [patches, channels * height * width of a patch]; patches that are merged follow one another.
        grid: Patches of each picture in time, height and width, int64 [pictures, 3].
    """

    values: torch.Tensor
    grid: torch.Tensor

    @property
    def nbytes(self) -> int:
        """Bytes that the patches take."""
        return self.values.nbytes


class Patcher:
    """Cuts pictures into patches.

    Args:
        processor: The library's image processor for the model, which knows the settings.

    Raises:
        EngineError: If it does not resize, which leaves pictures that cannot be cut.
    """

    def __init__(self, processor: Any) -> None:
        if not processor.do_resize:
            raise EngineError("the in-process engine needs an image processor that resizes")
        self._least, self._most = processor.size["shortest_edge"], processor.size["longest_edge"]
        self._filter = Image.Resampling(processor.resample)
        self._patch, self._merge = processor.patch_size, processor.merge_size
        shades = np.arange(256) * (processor.rescale_factor if processor.do_rescale else 1.0)
        mean, deviation = (
            np.array(given if processor.do_normalize else [otherwise] * 3, np.float32)
            for given, otherwise in ((processor.image_mean, 0.0), (processor.image_std, 1.0))
        )
        # The value of each of a channel's 256 shades, float32 [channels, shades].
        self._values = (shades.astype(np.float32) - mean[:, None]) / deviation[:, None]

    def __call__(self, images: Sequence[Image.Image]) -> Patches:
        """Cut RGB pictures into patches.

        Raises:
            InvalidRequestError: If a picture cannot be resized to what the model takes.
        """
        cut = [self._cut(image) for image in images]
        values = cut[0][0] if len(cut) == 1 else np.concatenate([values for values, _ in cut])
        return Patches(torch.from_numpy(values), torch.tensor([grid for _, grid in cut]))

    def _cut(self, image: Image.Image) -> tuple[np.ndarray, tuple[int, int, int]]:
        side, merge = self._patch, self._merge
        try:
            height, width = smart_resize(image.height, image.width, side * merge, self._least, self._most)
        except ValueError as error:  # an aspect ratio beyond what the model takes
            raise InvalidRequestError(
                f"An image does not fit the model: {error}", param="messages", code="invalid_image"
            ) from None
        rows, columns = height // side, width // side
        shades = np.asarray(image.resize((width, height), self._filter))
        shades = shades.reshape(rows // merge, merge, side, columns // merge, merge, side, 3)
        shades = shades.transpose(6, 0, 3, 1, 4, 2, 5).reshape(3, rows * columns, side * side)
        values = np.empty((rows * columns, 3, side * side), np.float32)
        for channel, table in enumerate(self._values):
            values[:, channel] = np.take(table, shades[channel])
        return values.reshape(rows * columns, -1), (1, rows, columns)
