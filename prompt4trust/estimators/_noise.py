"""A picture with noise over it, from a data: URL to data: URLs; bit by bit the same for the same seed."""

from __future__ import annotations

import base64
import binascii
import io
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from prompt4trust.errors import TransportError
from prompt4trust.pictures import DataUrl

MAX_SIDE = 1024
"""Larger pictures are made smaller first: models see no more, and the work stays bounded."""
GRAIN = 256
"""Most grains on the longer side: finer noise would be averaged away when a model makes a large picture smaller."""
DEVIATION = 0.25
"""Standard deviation of the noise at full strength, as a part of the range from black to white."""


class NoisyPicture:
    """One picture and one field of Gaussian noise over it, to be mixed at any strength.

    At strength s a pixel x in [0, 1] becomes m + sqrt(1 - s) (x - m) + sqrt(s) e, clipped, where m is the picture's
    mean and e the noise: the step of a diffusion process, so that at s = 1 nothing of the picture is left. All
    strengths share the same noise, so that each is the weaker one made worse. Colour channels share it too.

    Args:
        url: The picture as a base64 data: URL; EXIF orientation is applied.
        seed: Seed of the noise.

    Raises:
        TransportError: Of the service "image", if the picture cannot be read. It is not a model's outcome.
    """

    def __init__(self, url: str, seed: int) -> None:
        self._pixels = _pixels(url)
        self._mean = self._pixels.mean(dtype=np.float64).astype(np.float32)
        self._seed = seed

    @cached_property
    def _noise(self) -> npt.NDArray[np.float32]:
        # Drawn where it is needed: a blank picture has none.
        return _grains(self._pixels.shape[0], self._pixels.shape[1], self._seed)

    def at(self, strength: float) -> str:
        """Mix at a strength in [0, 1].

        Returns:
            The picture as a PNG data: URL.
        """
        noise = self._noise if self._pixels.ndim == 2 else self._noise[:, :, np.newaxis]
        return _png(self._mean + np.sqrt(1 - strength) * (self._pixels - self._mean) + np.sqrt(strength) * noise)

    def blank(self) -> str:
        """Fill the picture with its mean grey.

        Returns:
            The picture as a PNG data: URL, of the same size.
        """
        return _png(np.full_like(self._pixels, self._mean))


def _png(pixels: npt.NDArray[np.float32]) -> str:
    levels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, format="PNG", compress_level=1)
    return DataUrl.of("image/png", stream.getvalue())


def _pixels(url: str) -> npt.NDArray[np.float32]:
    try:
        header, _, payload = url.partition(",")
        if not header.startswith("data:") or not header.endswith(";base64"):
            raise ValueError("not a base64 data: URL")
        with Image.open(io.BytesIO(base64.b64decode(payload, validate=True))) as opened:
            picture: Image.Image = ImageOps.exif_transpose(opened)
            picture = picture if picture.mode in {"L", "RGB"} else picture.convert("RGB")
            picture.thumbnail((MAX_SIDE, MAX_SIDE))
            return np.asarray(picture, dtype=np.float32) / np.float32(255)
    except (OSError, ValueError, binascii.Error, Image.DecompressionBombError) as error:
        raise TransportError("image", f"the picture cannot be read ({type(error).__name__})") from error


def _grains(height: int, width: int, seed: int) -> npt.NDArray[np.float32]:
    part = min(1.0, GRAIN / max(height, width))
    rows, columns = max(1, round(height * part)), max(1, round(width * part))
    drawn = np.random.default_rng(seed).normal(0, DEVIATION, (rows, columns)).astype(np.float32)
    spread: npt.NDArray[np.float32] = drawn[np.arange(height) * rows // height][:, np.arange(width) * columns // width]
    return spread
