"""Questions of a data set, described."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from prompt4trust.questions import Question
from prompt4trust.shift.descriptor import Described, Descriptor


class UnreadablePictureError(ValueError):
    """A picture cannot be read; the message names its file."""


def describe_questions(
    questions: Iterable[Question], descriptor: Descriptor, seen: Callable[[], None] = lambda: None
) -> list[Described]:
    """Describe questions, one after another: some milliseconds each.

    Args:
        questions: With pictures or without.
        descriptor: What describes them.
        seen: Called after each, for progress.

    Returns:
        The descriptions, in order.

    Raises:
        UnreadablePictureError: If a picture cannot be read.
    """
    found = []
    for question in questions:
        picture = None if question.image is None else read_picture(question.image)
        found.append(descriptor.describe(picture, question.text, question.options))
        seen()
    return found


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
                return _window(picture)
            if picture.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in picture.info:
                layered = picture.convert("RGBA")
                ground = Image.new("RGB", layered.size)
                ground.paste(layered, mask=layered.getchannel("A"))
                return ground
            return picture.convert("L" if picture.mode in ("L", "1") else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadablePictureError(f"{path.name} cannot be read ({type(error).__name__})") from error


def _window(picture: Image.Image) -> Image.Image:
    values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(np.rint((values - low) / max(high - low, 1e-12) * 255).astype(np.uint8))
