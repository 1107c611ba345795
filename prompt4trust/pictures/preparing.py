"""Prepared pictures: what is sent to a downstream model."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from io import BytesIO

from prompt4trust.pictures.decoding import DecodedPicture, PictureLimits, decode_picture


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A picture that is safe to pass on.

    Attributes:
        png: A PNG of mode L or RGB with pixels and nothing else.
        sha256: Its SHA-256, in hexadecimal digits.
        width: Width in pixels.
        height: Height in pixels.
        source_format: The format of the file that it was made from, one of `decoding.FORMATS`.
        source_size: Width and height in that file.
        window: The values that became black and white, where deep grey was windowed; else None.
        scale: Pixels of a side for each one in that file, at most 1.
    """

    png: bytes
    sha256: str
    width: int
    height: int
    source_format: str
    source_size: tuple[int, int]
    window: tuple[float, float] | None
    scale: float

    @classmethod
    def of(cls, picture: DecodedPicture) -> PreparedPicture:
        """Encode a decoded picture."""
        buffer = BytesIO()
        picture.pixels.save(buffer, "PNG")
        png = buffer.getvalue()
        return cls(
            png,
            hashlib.sha256(png).hexdigest(),
            *picture.pixels.size,
            picture.source_format,
            picture.source_size,
            picture.window,
            picture.scale,
        )

    @property
    def data_url(self) -> str:
        """The picture as a data: URL."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


def prepare_picture(
    data: bytes,
    limits: PictureLimits = PictureLimits(),  # noqa: B008 - frozen
    *,
    media_type: str | None = None,
    filename: str | None = None,
) -> PreparedPicture:
    """Check a picture file and make it anew as downstream models get it.

    Args:
        data: The file.
        limits: What it may be.
        media_type: The type that was declared for it, or None; must agree with the content.
        filename: The name that was declared for it, or None; its suffix must agree with the content.

    Raises:
        PictureError: If the file is not taken.

    Example:
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.new("RGBA", (2048, 1024), "white").save(file, "WEBP")
        >>> picture = prepare_picture(file.getvalue())
        >>> picture.width, picture.height, picture.source_format, picture.scale
        (1024, 512, 'WEBP', 0.5)
    """
    return PreparedPicture.of(decode_picture(data, limits, media_type=media_type, filename=filename))
