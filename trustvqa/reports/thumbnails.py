"""Pictures small enough to be part of a page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from prompt4trust.pictures import PictureLimits, begins_as_dicom, decode_picture

MOST_BYTES = 40_000
_SIDE = 320
_QUALITIES = (85, 70, 50, 30)


def thumbnail(path: Path, *, side: int = _SIDE, most_bytes: int = MOST_BYTES) -> str | None:
    """Read a picture as a small data: URL.

    It is drawn anew, so that nothing that the file says beside its pixels (who, when, where) comes along.

    Args:
        path: The file.
        side: Longest side, in pixels; smaller pictures stay as they are.
        most_bytes: How large it may be before it is written as text; an even smaller JPEG is tried in turn.

    Returns:
        "data:image/...;base64,...", or None if the file is no picture that can be read or made so small.
    """
    try:
        picture = _opened(path, side)
        picture.thumbnail((side, side))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    encoded = _encoded(picture, "PNG")
    if len(encoded) <= most_bytes:
        return _url("png", encoded)
    for quality in _QUALITIES:
        encoded = _encoded(picture.convert("RGB"), "JPEG", quality)
        if len(encoded) <= most_bytes:
            return _url("jpeg", encoded)
    return None


def _opened(path: Path, side: int) -> Image.Image:
    data = path.read_bytes()
    if begins_as_dicom(data):
        # A page is handed on: what may have a name in its pixels has no place there.
        return decode_picture(data, PictureLimits(takes_burned_in=False)).pixels
    with Image.open(io.BytesIO(data)) as opened:
        opened.draft("RGB", (side, side))
        return _eight_bit(opened)


def _eight_bit(opened: Image.Image) -> Image.Image:
    if opened.mode.startswith(("I", "F")):
        values = np.asarray(opened, dtype=np.float64)
        low, high = float(values.min()), float(values.max())
        return Image.fromarray(np.uint8(np.rint((values - low) / max(high - low, 1e-12) * 255)))
    return opened.copy() if opened.mode in {"L", "RGB"} else opened.convert("RGB")


def _encoded(picture: Image.Image, kind: str, quality: int = 85) -> bytes:
    stream = io.BytesIO()
    fresh = Image.new(picture.mode, picture.size)
    fresh.paste(picture)
    fresh.save(stream, format=kind, quality=quality, optimize=True)
    return stream.getvalue()


def _url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
