"""A picture's pixels, decoded by a worker process for an engine; this module is imported by the workers, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_picture


def decode_pixels(file: bytes, asked: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
    """Decode a picture.

    Args:
        file: Its file.
        asked: `limits`, the fields of PictureLimits, and `media_type`, which was declared for it, or None.

    Returns:
        `{"mode": "L" or "RGB", "size": [width, height]}`, and the pixels row by row.

    Raises:
        PictureError: If the picture is not taken.
    """
    pixels = decode_picture(file, PictureLimits(**asked["limits"]), media_type=asked["media_type"]).pixels
    return {"mode": pixels.mode, "size": pixels.size}, pixels.tobytes()


def picture_from(found: Mapping[str, Any], pixels: bytes) -> Image.Image:
    """Make a picture of the task's result; checked, since a stranger's file had a hand in it.

    Raises:
        PictureError: If it is none.
    """
    mode, (width, height) = found["mode"], found["size"]
    if mode not in ("L", "RGB") or len(pixels) != width * height * len(mode):
        raise PictureError("damaged-image", "The image cannot be decoded.")
    return Image.frombytes(mode, (width, height), pixels)
