"""The values of grey deeper than eight bits, as a decoded file holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DEEP_MODES: Final = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
"""Pillow's modes of grey deeper than eight bits."""
_PHOTOMETRIC: Final = 262
_BAND: Final = 128
_SMALL: Final = 1 << 21


def is_inverted(image: Image.Image) -> bool:
    """Whether large values are dark (WhiteIsZero), which Pillow undoes at 8 bits only."""
    return image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0


def deep_values(image: Image.Image) -> NDArray[np.generic]:
    """Take the values of deep grey, in bands: Pillow hands a whole picture over by way of two further copies."""
    values = np.empty((image.height, image.width), dtype=np.asarray(image.crop((0, 0, 1, 1))).dtype)
    for top, band in bands(image):
        values[top : top + band.height] = np.asarray(band)
    return values


def bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Cut a picture into bands, each with its place: no large one is copied as a whole."""
    if image.width * image.height <= _SMALL:
        yield 0, image
        return
    for top in range(0, image.height, _BAND):
        yield top, image.crop((0, top, image.width, min(top + _BAND, image.height)))
