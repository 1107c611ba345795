"""Pictures as text: base64, with or without a data: URL around it (RFC 2397)."""

from __future__ import annotations

import base64
import binascii
import re

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
    text, media_type = text.strip(), None
    if header := _DATA_URL.match(text):
        if not header["parameters"].lower().endswith(";base64"):
            raise PictureError("bad-encoding", "is a data: URL without ;base64")
        text, media_type = text[header.end() :], header["type"].strip()
    elif _ADDRESS.match(text):
        raise PictureError("bad-encoding", "is an address: pictures are not fetched, send the picture itself in base64")
    elif needs_data_url:
        raise PictureError("bad-encoding", "must be a base64 data: URL")
    try:
        # Nearly every client sends it so, and what follows costs several times as much.
        return binascii.a2b_base64(text, strict_mode=True), media_type
    except ValueError:
        pass
    compact = "".join(text.split()).rstrip("=")
    padded = compact + "=" * (-len(compact) % 4)
    try:
        return base64.b64decode(padded.translate(_URL_SAFE).encode("ascii"), validate=True), media_type
    except (binascii.Error, UnicodeEncodeError):
        raise PictureError("bad-encoding", "is not valid base64") from None
