"""Pictures as requests carry them, decoded; those that are too large, damaged or none are refused here."""

from __future__ import annotations

import base64
import binascii
import io
import re
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from services.common.engine.errors import InvalidRequestError

_HEADER = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[^;,]*)*(?P<base64>;base64)?,", re.ASCII)
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


@dataclass(frozen=True, slots=True)
class EncodedPictureLimits:
    """Largest picture that is decoded.

    Attributes:
        max_bytes: Of the encoded file.
        max_pixels: Width times height, checked before anything is decompressed.
    """

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = 40_000_000


def data_url_bytes(url: str) -> bytes:
    """Decode a base64 data: URL (RFC 2397).

    Raises:
        InvalidRequestError: If it is none.
    """
    header = _HEADER.match(url[:256])
    if header is None or not header["base64"]:
        raise _fault("An image must be given as a base64 data: URL.")
    media_type = header["type"]
    if media_type and not media_type.lower().startswith("image/") and media_type != "application/octet-stream":
        raise _fault(f"A data: URL of type {media_type[:60]} is not an image.")
    try:
        return base64.b64decode(url[header.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise _fault("The image's data: URL is not valid base64.") from None


def decode_picture(source: str | bytes, limits: EncodedPictureLimits) -> Image.Image:
    """Decode a picture to RGB, upright.

    Args:
        source: A base64 data: URL or an encoded file.
        limits: The largest that is taken.

    Returns:
        Its first frame; transparency is laid on white.

    Raises:
        InvalidRequestError: If it is not a picture of a known kind, damaged, or too large.
    """
    data = data_url_bytes(source) if isinstance(source, str) else source
    if len(data) > limits.max_bytes:
        raise _fault(f"The image has {len(data)} bytes; at most {limits.max_bytes} are taken.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large images; the limit below decides
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            if image.width * image.height > limits.max_pixels:
                raise _fault(f"The image has {image.width} x {image.height} pixels; at most {limits.max_pixels}.")
            image.load()
            return _rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise _fault(f"The image has far more than {limits.max_pixels} pixels.") from None
    except UnidentifiedImageError:
        raise _fault("The data is not an image of a known kind (PNG, JPEG, WebP, GIF, BMP, TIFF).") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError):
        raise _fault("The image is damaged or incomplete.") from None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow clips 16-bit grey to 8 bits; a radiograph must be scaled instead.
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        upper = image.convert("RGBA")
        ground = Image.new("RGBA", upper.size, "white")
        return Image.alpha_composite(ground, upper).convert("RGB")
    return image.convert("RGB")


def _fault(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, param="messages", code="invalid_image")
