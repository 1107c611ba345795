"""Picture files of data sets: as pixels to describe, and as data: URLs, the form that a downstream model takes."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from prompt4trust.errors import TransportError, UnreadablePictureError

_PASSED_ON = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def data_url(path: Path) -> str:
    """Read a picture as a data: URL.

    PNG and JPEG go on as they are; anything else that Pillow reads is written as PNG, 16-bit values scaled to 8.

    Args:
        path: The file, taken for trusted: a dataset's own.

    Returns:
        "data:image/...;base64,...".

    Raises:
        TransportError: Of the service "image", if the file cannot be read. It is not a model's outcome.
    """
    try:
        data = path.read_bytes()
        kind = next((kind for magic, kind in _PASSED_ON if data.startswith(magic)), None)
        if kind is None:
            kind, data = "image/png", _as_png(data)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise TransportError("image", f"{path.name} cannot be read ({type(error).__name__})") from error
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def read_picture(path: Path) -> Image.Image:
    """Read a picture as the gateway hands one on: upright, of mode L or RGB.

    Grey deeper than eight bits is windowed from its least to its greatest value; transparency is laid on black.

    Raises:
        UnreadablePictureError: If it cannot be read.
    """
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode.startswith(("I", "F")):
                return _windowed(picture)
            if picture.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in picture.info:
                layered = picture.convert("RGBA")
                ground = Image.new("RGB", layered.size)
                ground.paste(layered, mask=layered.getchannel("A"))
                return ground
            return picture.convert("L" if picture.mode in ("L", "1") else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadablePictureError(f"{path.name} cannot be read ({type(error).__name__})") from error


def _as_png(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as opened:
        picture: Image.Image = opened
        if picture.mode.startswith(("I", "F")):
            picture = _windowed(picture)
        elif picture.mode not in {"L", "RGB"}:
            picture = picture.convert("RGB")
        stream = io.BytesIO()
        picture.save(stream, format="PNG")
    return stream.getvalue()


def _windowed(picture: Image.Image) -> Image.Image:
    """Bring grey of any depth to eight bits, from its least to its greatest value."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(np.rint((values - low) / max(high - low, 1e-12) * 255).astype(np.uint8))
