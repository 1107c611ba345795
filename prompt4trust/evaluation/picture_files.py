"""Picture files as data: URLs, the form in which a downstream model takes them."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from prompt4trust.models import TransportError

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


def _as_png(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as opened:
        picture: Image.Image = opened
        if picture.mode.startswith(("I", "F")):
            values = np.asarray(picture, dtype=np.float64)
            low, high = float(values.min()), float(values.max())
            picture = Image.fromarray(np.uint8(np.rint((values - low) / max(high - low, 1e-12) * 255)))
        elif picture.mode not in {"L", "RGB"}:
            picture = picture.convert("RGB")
        stream = io.BytesIO()
        picture.save(stream, format="PNG")
    return stream.getvalue()
