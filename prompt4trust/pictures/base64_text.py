"""Pictures as text: base64, with or without a data: URL around it (RFC 2397)."""

from __future__ import annotations

import base64
import binascii
import re

import pybase64

from prompt4trust.errors import PictureError

_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?P<parameters>(?:;[^;,]*)*),", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_URL_SAFE = str.maketrans("-_", "+/")


def decode_base64_picture(text: str, *, needs_data_url: bool = False) -> tuple[bytes, str | None]:
    r"""Decode a picture that came as text.

    Args:
        text: Base64, standard or URL-safe, line breaks and missing padding allowed; or a base64 data: URL of that.
        needs_data_url: Whether bare base64 is refused.

    Returns:
        The file's bytes, unchecked, and the type that the data: URL declares, or None.

    Raises:
        PictureError: Fault "bad-encoding"; the detail is the end of a sentence about the picture.

    Example:
        >>> decode_base64_picture("DATA:image/png;base64,iVBO\nRw0K")
        (b'\x89PNG\r\n', 'image/png')
    """
    coded, media_type = split_picture_text(text, needs_data_url=needs_data_url)
    return decode_base64(coded), media_type


def split_picture_text(text: str, *, needs_data_url: bool = False) -> tuple[str, str | None]:
    """Take a picture's text apart.

    Args:
        text: As for `decode_base64_picture`.
        needs_data_url: Whether bare base64 is refused.

    Returns:
        What is to be base64, and the type that a data: URL declares, or None.

    Raises:
        PictureError: As `decode_base64_picture`, if it is not of that form.

    Example:
        >>> split_picture_text("data:image/png;base64,iVBORw==")
        ('iVBORw==', 'image/png')
    """
    text = text.strip()
    if header := _DATA_URL.match(text):
        if not header["parameters"].lower().endswith(";base64"):
            raise PictureError("bad-encoding", "is a data: URL without ;base64")
        return text[header.end() :], header["type"].strip()
    if _ADDRESS.match(text):
        raise PictureError("bad-encoding", "is an address: pictures are not fetched, send the picture itself in base64")
    if needs_data_url:
        raise PictureError("bad-encoding", "must be a base64 data: URL")
    return text, None


def decode_base64(text: str) -> bytes:
    """Decode base64, standard or URL-safe, line breaks and missing padding allowed.

    Raises:
        PictureError: If it is none.
    """
    try:
        # Nearly every client sends it so. Python's own reader, which takes a little more, takes thirty times as long,
        # and what follows that again several times.
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        pass
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        pass
    compact = "".join(text.split()).rstrip("=")
    padded = compact + "=" * (-len(compact) % 4)
    try:
        return base64.b64decode(padded.translate(_URL_SAFE).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise PictureError("bad-encoding", "is not valid base64") from None
