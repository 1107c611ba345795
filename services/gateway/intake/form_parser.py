"""Multipart forms, with files that are not named as RFC 7578 wants it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from starlette.formparsers import MultiPartParser

_PICTURE: Final = b"image"
_PLAIN: Final = re.compile(rb";\s*filename\s*=", re.IGNORECASE)
# RFC 5987: charset'language'percent-encoded
_EXTENDED: Final = re.compile(rb";\s*filename\*\s*=\s*\"?([^;\"]*)", re.IGNORECASE)
_NAME: Final = re.compile(rb";\s*name\s*=\s*\"?([^;\"]*)", re.IGNORECASE)
_FILE_NAMES: Final = re.compile(rb";\s*filename\*?\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^;]*)", re.IGNORECASE | re.DOTALL)
_OF_FILES: Final = re.compile(rb"\s*(?:image/|application/octet-stream|binary/octet-stream)", re.IGNORECASE)


class FormParser(MultiPartParser):
    """Takes the picture's part for a file if it has a name in RFC 5987's form, or none and a picture's media type.

    RFC 7578 forbids the former in forms and wants a name of every file; the parser beneath therefore takes such parts
    for text, and a picture would be refused as bad base64. Clients send them all the same. Every other part is text,
    whether or not it has a file's name: browsers give one to a Blob of JSON.
    """

    def on_headers_finished(self) -> None:
        """Take note of a part's headers."""
        part = self._current_part
        disposition = part.content_disposition or b""
        named = _NAME.search(disposition)
        if named is not None and named[1] != _PICTURE:
            part.content_disposition = _FILE_NAMES.sub(b"", disposition)
        elif not _PLAIN.search(disposition):
            if found := _EXTENDED.search(disposition):
                part.content_disposition = disposition + b'; filename="' + _decoded(found[1]) + b'"'
            elif any(name == b"content-type" and _OF_FILES.match(value) for name, value in part.item_headers):
                part.content_disposition = disposition + b'; filename=""'
        super().on_headers_finished()


def fault_of(error: Exception) -> str:
    """Find what is wrong with a client's form, and what to change, in words for the client.

    Args:
        error: As the parser raised it.
    """
    said = getattr(error, "message", "")
    if said.startswith("Missing boundary"):
        return "its Content-Type names no boundary: leave that header to your HTTP client, which writes one"
    if said.startswith("Too many files"):
        return "it holds more than one image: send one"
    if said.startswith("Too many fields"):
        return "it has too many parts"
    if "name" in said:
        return "a part of it has no name"
    return "its parts are not parted by the boundary that its Content-Type names, in lines that end with CR LF"


def _decoded(value: bytes) -> bytes:
    charset, _, rest = value.decode("latin-1").partition("'")
    _, _, coded = rest.partition("'")
    encoding = "latin-1" if charset.lower() == "iso-8859-1" else "utf-8"
    name = unquote(coded or charset, encoding, "replace")
    return re.sub(r'[\\"\r\n]', "_", name).encode("utf-8", "replace")
