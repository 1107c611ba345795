"""Prepared pictures: what is sent to a downstream model."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from prompt4trust.pictures.data_url import DataUrl
from prompt4trust.pictures.decoded import DecodedPicture, PictureOrigin
from prompt4trust.pictures.decoding import decode_picture
from prompt4trust.pictures.limits import PictureLimits


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A picture that is safe to pass on: a file with pixels and nothing else.

    Attributes:
        file: A JPEG where the client's file was one, so that it does not grow; else a PNG.
        media_type: "image/jpeg" or "image/png".
        sha256: The file's SHA-256, in hexadecimal digits.
        width: Width in pixels.
        height: Height in pixels.
        origin: The file that it was made from.
    """

    file: bytes
    media_type: str
    sha256: str
    width: int
    height: int
    origin: PictureOrigin

    @classmethod
    def of(cls, picture: DecodedPicture) -> PreparedPicture:
        """Make the file of a decoded picture; whoever decodes it has the same pixels."""
        file = picture.jpeg or _png(picture.pixels)
        return cls(file, media_type_of(file), hashlib.sha256(file).hexdigest(), *picture.size, picture.origin)

    @property
    def data_url(self) -> DataUrl:
        """The picture as a data: URL."""
        return DataUrl.of(self.media_type, self.file)


def media_type_of(file: bytes) -> str:
    r"""Media type of a prepared picture's file, by how it begins.

    Example:
        >>> media_type_of(b"\xff\xd8\xff\xe0...")
        'image/jpeg'
    """
    return "image/jpeg" if file.startswith(b"\xff\xd8") else "image/png"


def _png(pixels: Image.Image) -> bytes:
    buffer = BytesIO()
    # Run lengths and Huffman codes: a sixth of the time of the usual level, and no more bytes for what scanners make.
    pixels.save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return buffer.getvalue()


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
        >>> picture.width, picture.height, picture.media_type, picture.origin.format, picture.origin.scale
        (1024, 512, 'image/png', 'WEBP', 0.5)
    """
    picture = decode_picture(data, limits, media_type=media_type, filename=filename, all_pixels=False)
    return PreparedPicture.of(picture)
