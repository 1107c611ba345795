"""Pictures as requests carry them, decoded as the gateway decodes them; what is no picture is refused here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from PIL import Image

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_base64_picture, decode_picture
from services.common.engine.errors import InvalidRequestError
from services.common.pictures.pixel_task import picture_from
from services.common.pictures.pool import PicturePool


@dataclass(frozen=True, slots=True)
class EncodedPictureLimits:
    """Largest picture that is decoded.

    Attributes:
        max_bytes: Of the encoded file.
        max_pixels: Width times height, checked before anything is decompressed.
        max_memory: Bytes that decoding may take by the file's header.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = PictureLimits().max_pixels
    max_memory: int = PictureLimits().max_memory

    @property
    def decoded(self) -> PictureLimits:
        """Bounds on what the file holds; text in its pixels goes no further than this engine."""
        return PictureLimits(max_pixels=self.max_pixels, max_memory=self.max_memory, takes_burned_in=True)


@dataclass(frozen=True, slots=True)
class RequestPicture:
    """A picture as a request carried it, undecoded.

    Attributes:
        file: Its bytes, unchecked but for their number.
        media_type: The type that was declared for it, or None.
    """

    file: bytes
    media_type: str | None = None


def read_request_picture(source: str | bytes, limits: EncodedPictureLimits) -> RequestPicture:
    """Read a picture's file from a request.

    Args:
        source: A base64 data: URL or an encoded file.
        limits: The largest that is taken.

    Raises:
        InvalidRequestError: If it is no data: URL, or too large.
    """
    try:
        file, media_type = (
            (source, None) if isinstance(source, bytes) else decode_base64_picture(source, needs_data_url=True)
        )
    except PictureError as error:
        raise _fault(f"The image {error.detail}.") from None
    if len(file) > limits.max_bytes:
        raise _fault(f"The image has {len(file)} bytes; at most {limits.max_bytes} are taken.")
    return RequestPicture(file, media_type)


def digest_of(pictures: Sequence[RequestPicture]) -> bytes:
    """Make a digest of a request's pictures, by which the same ones are known again; it reads every byte of them.

    Args:
        pictures: The files with their declared types, in the request's order.

    Returns:
        32 bytes; none where there are no pictures.

    Example:
        >>> digest_of([RequestPicture(b"a", "image/png")]) == digest_of([RequestPicture(b"a")])
        False
    """
    if not pictures:
        return b""
    digest = hashlib.sha256()
    for each in pictures:
        # A declared type decides whether the file is taken at all. Lengths tell where a file ends and the next begins.
        for part in ((each.media_type or "").encode(), each.file):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.digest()


async def decode_in_pool(
    pictures: Sequence[RequestPicture], limits: EncodedPictureLimits, pool: PicturePool, client: str
) -> list[Image.Image]:
    """Decode a request's pictures in worker processes, one after the other.

    Args:
        pictures: The files, in the request's order.
        limits: What is taken.
        pool: Runs `decode_pixels`.
        client: Who sent them.

    Returns:
        The pixels, of mode L or RGB, that `prompt4trust.pictures` makes of each.

    Raises:
        InvalidRequestError: If one is not a picture of a known kind, damaged, or too large.
    """
    bounds = asdict(limits.decoded)
    try:
        return [
            picture_from(*await pool.run(each.file, {"limits": bounds, "media_type": each.media_type}, client))
            for each in pictures
        ]
    except PictureError as error:
        raise _fault(error.detail) from None


def decode_request_picture(source: str | bytes, limits: EncodedPictureLimits) -> Image.Image:
    """Decode a picture in this thread, for files that are trusted.

    Args:
        source: A base64 data: URL or an encoded file.
        limits: The largest that is taken.

    Returns:
        The pixels that `prompt4trust.pictures` makes of it, of mode RGB.

    Raises:
        InvalidRequestError: If it is not a picture of a known kind, damaged, or too large.
    """
    picture = read_request_picture(source, limits)
    try:
        return decode_picture(picture.file, limits.decoded, media_type=picture.media_type).pixels.convert("RGB")
    except PictureError as error:
        raise _fault(error.detail) from None


def _fault(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, param="messages", code="invalid_image")
