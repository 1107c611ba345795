"""Pictures as requests carry them, decoded as the gateway decodes them; what is no picture is refused here."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_base64_picture, decode_picture
from services.common.engine.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class EncodedPictureLimits:
    """Largest picture that is decoded.

    Attributes:
        max_bytes: Of the encoded file.
        max_pixels: Width times height, checked before anything is decompressed.
    """

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = 40_000_000


def decode_request_picture(source: str | bytes, limits: EncodedPictureLimits) -> Image.Image:
    """Decode a picture to RGB.

    Args:
        source: A base64 data: URL or an encoded file.
        limits: The largest that is taken.

    Returns:
        The pixels that `prompt4trust.pictures` makes of it.

    Raises:
        InvalidRequestError: If it is not a picture of a known kind, damaged, or too large.
    """
    try:
        data, media_type = (source, None) if isinstance(source, bytes) else _decode_url(source)
        if len(data) > limits.max_bytes:
            raise _fault(f"The image has {len(data)} bytes; at most {limits.max_bytes} are taken.")
        picture = decode_picture(data, PictureLimits(max_pixels=limits.max_pixels), media_type=media_type)
    except PictureError as error:
        raise _fault(error.detail) from None
    return picture.pixels.convert("RGB")


def _decode_url(url: str) -> tuple[bytes, str | None]:
    try:
        return decode_base64_picture(url, needs_data_url=True)
    except PictureError as error:
        raise _fault(f"The image {error.detail}.") from None


def _fault(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, param="messages", code="invalid_image")
