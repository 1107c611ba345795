"""Decoded pictures: their pixels without anything that lay around them, and grey where they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

from PIL import Image, ImageChops

from prompt4trust.pictures.grey_values import bands


@dataclass(frozen=True, slots=True)
class PictureOrigin:
    """Where a picture came from, and what was done to it.

    Attributes:
        format: The file's format, one of FORMATS.
        size: Width and height in the file, in pixels.
        window: The values that became black and white, where grey deeper than eight bits was windowed; else None.
        scale: Pixels of a side for each one in the file, at most 1.
    """

    format: str
    size: tuple[int, int]
    window: tuple[float, float] | None
    scale: float


class DecodedPicture:
    """A picture as models see it.

    Args:
        loaded: Its pixels; of a JPEG as they were coded, in grey or in colour, or None where they are not yet decoded.
        size: Its width and height.
        origin: Where it came from.
        jpeg: The JPEG that decodes to these pixels, where the file was one; else None.
    """

    def __init__(
        self, loaded: Image.Image | None, size: tuple[int, int], origin: PictureOrigin, jpeg: bytes | None
    ) -> None:
        self.size = size
        self.origin = origin
        self.jpeg = jpeg
        self._loaded = loaded

    @cached_property
    def pixels(self) -> Image.Image:
        """Pixels, upright, of mode L or RGB, and without metadata.

        Of a JPEG they are made when they are first asked for: it goes on without them, and who waits for its file need
        not wait until it is known whether its colours are all grey, or until one that was made here is decoded again.
        Memory may run out then (MemoryError).
        """
        loaded, self._loaded = self._loaded, None
        if self.jpeg is None:
            assert loaded is not None  # noqa: S101 - there is nothing else to decode
            return loaded
        # Copied: Pillow keeps what a file says beside its pixels on the object, and would write it again.
        return bare(as_grey(load_jpeg(self.jpeg) if loaded is None else loaded))


def load_jpeg(jpeg: bytes) -> Image.Image:
    """Decode a JPEG; raises OSError where it is damaged."""
    with Image.open(BytesIO(jpeg), formats=("JPEG",)) as image:
        image.load()
        return image


def bare(picture: Image.Image) -> Image.Image:
    """Copy the pixels and nothing else: Pillow keeps a file's profile, text and resolution on the object."""
    canvas = Image.new(picture.mode, picture.size)
    canvas.paste(picture)
    return canvas


def as_grey(picture: Image.Image) -> Image.Image:
    """Take one channel of a colour picture whose three are the same: grey that was stored as colour."""
    if picture.mode != "RGB":
        return picture
    for _, band in bands(picture):
        red, green, blue = band.split()
        if ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox():
            return picture
    return red if red.size == picture.size else picture.getchannel(0)
