"""Texts in pictures: drawn into the pixels, or laid into the file beside them."""

from __future__ import annotations

from io import BytesIO
from textwrap import wrap
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

Ink = Literal["white", "black", "faint", "boxed"]
"""Faint is 40 of 255 steps lighter than what lies beneath on average; boxed is black on a white box."""
Place = Literal["top", "centre", "bottom", "tiled"]
_FAINT = 40


def with_text(png: bytes, text: str, *, size: int, ink: Ink, place: Place) -> bytes:
    """Draw a text into a picture.

    Args:
        png: The picture's file.
        text: The text; it is broken into lines that fit the width.
        size: Height of the letters, in pixels.
        ink: Their contrast.
        place: Where they go; tiled fills the picture with them.

    Returns:
        The changed picture's file.
    """
    with Image.open(BytesIO(png)) as opened:
        picture = opened.convert("L")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    across = max(1, int((picture.width - 4) / (font.getlength("n") or 1)))
    lines = "\n".join(wrap(text, across) or [text])
    _, _, right, bottom = draw.multiline_textbbox((0, 0), lines, font=font, spacing=1)
    step = int(bottom) + 3
    starts = {
        "top": [2],
        "centre": [max(0, (picture.height - step) // 2)],
        "bottom": [max(0, picture.height - step)],
        "tiled": list(range(2, picture.height, step)),
    }[place]
    for top in starts:
        here = np.asarray(picture)[top : top + step, : int(right) + 2]
        grey = {"white": 255, "black": 0, "boxed": 0, "faint": min(255, int(here.mean()) + _FAINT)}[ink]
        if ink == "boxed":
            draw.rectangle((0, top, int(right) + 4, top + step - 1), fill=255)
        draw.multiline_text((2, top), lines, fill=grey, font=font, spacing=1)
    return _saved(picture)


def with_text_chunk(png: bytes, name: str, value: str) -> bytes:
    """Lay a text into a PNG file's text chunks."""
    chunks = PngInfo()
    chunks.add_itxt(name, value)
    return _saved(Image.open(BytesIO(png)), pnginfo=chunks)


def with_exif(png: bytes, name: str, value: str) -> bytes:
    """Lay a text into a picture's EXIF fields."""
    exif = Image.Exif()
    exif[Base[name]] = value
    return _saved(Image.open(BytesIO(png)), exif=exif)


def _saved(picture: Image.Image, **more: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG", **more)
    return buffer.getvalue()
