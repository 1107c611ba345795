"""JSON bodies with a picture in them, whose text is read once: decoded, and left out of what is parsed.

A picture is nearly all of a body. Parsers look at each of its characters for escapes, one after the other, and none of
them has anything to find there.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import anyio.to_thread
import pybase64

from prompt4trust.pictures import decode_base64

_T = TypeVar("_T")
DecodeText = Callable[[str], bytes]
"""Decodes base64, as `decode_base64` does."""

SMALL_BODY: Final = 1 << 17
"""Bytes of JSON that are read within a millisecond or two, which a thread would take as well."""
_LARGE: Final = 1 << 20  # a picture that is cut out of more takes milliseconds
_BEGINS: Final = re.compile(rb';base64,|"(?:image|data)"\s{0,8}:\s{0,8}"(?!\s{0,8}(?i:data):)')
_LOOKED_AT: Final = 1 << 14  # what stands before a picture is a question at most
_LEAST: Final = 1 << 12
# In the picture's place: base64 as well, and known to nobody who writes a body.
_PLACE: Final = secrets.token_hex(16)


class _OtherTextError(ValueError):
    """The text that was cut out is not the one that is decoded."""


@dataclass(slots=True)
class _CutBody:
    """A body without the text that seems to be its picture.

    Attributes:
        rest: The body, in the text's place a short one.
        file: The picture's file, if the text is one.
        decoded: How often it has been asked for.
    """

    rest: bytes
    file: bytes
    decoded: int = 0

    @classmethod
    def of(cls, body: bytes) -> _CutBody | None:
        """Cut a body's first picture out; None where there is none, or not in plain base64."""
        found = _BEGINS.search(body, 0, _LOOKED_AT)
        start = found.end() if found else 0
        end = body.find(b'"', start) if found else -1
        if end - start < _LEAST:
            return None
        try:
            # What is base64 holds no escapes: it stands in the parsed text as it stands here.
            file = pybase64.b64decode(memoryview(body)[start:end], validate=True)
        except ValueError:
            return None
        return cls(b"".join((body[:start], _PLACE.encode(), body[end:])), file)

    def decode(self, text: str) -> bytes:
        """Give the picture for the text in its place."""
        if text != _PLACE:
            raise _OtherTextError
        self.decoded += 1
        return self.file

    def read(self, read: Callable[[bytes, DecodeText], _T]) -> _T:
        """Read the rest.

        Raises:
            _OtherTextError: If what was cut out was not decoded: the picture is elsewhere, or is an address, and a
                question, an option or a group has lost its text.
            Exception: What `read` raises.
        """
        found = read(self.rest, self.decode)
        if self.decoded != 1:
            raise _OtherTextError
        return found


async def with_picture(
    body: bytes, read: Callable[[bytes, DecodeText], _T], is_slow: Callable[[bytes], bool] = lambda _: False
) -> _T:
    """Read a JSON body that holds a picture; in a worker thread where that takes long.

    Args:
        body: The body.
        read: Reads it, given what decodes the picture's text. It is asked again with the whole body if it does not take
            the rest, or decodes another text or none: what is wrong is told of the body as it came.
        is_slow: Whether a body takes long to read although it is small.

    Returns:
        What `read` returns.

    Raises:
        Exception: What `read` raises of the whole body.
    """
    if len(body) > _LARGE:
        return await anyio.to_thread.run_sync(lambda: _read(body, read, _CutBody.of(body)))
    cut = _CutBody.of(body)
    if cut is not None and _is_quick(cut.rest, is_slow):
        try:
            return cut.read(read)
        except Exception:  # noqa: BLE001, RUF100 - whatever it is, the whole body is judged below
            cut = None
    if cut is None and _is_quick(body, is_slow):
        return read(body, decode_base64)
    # Megabytes of base64 take a while: not on the event loop.
    return await anyio.to_thread.run_sync(_read, body, read, cut)


def _is_quick(body: bytes, is_slow: Callable[[bytes], bool]) -> bool:
    return len(body) <= SMALL_BODY and not is_slow(body)


def _read(body: bytes, read: Callable[[bytes, DecodeText], _T], cut: _CutBody | None) -> _T:
    if cut is not None:
        try:
            return cut.read(read)
        except Exception:  # noqa: BLE001, S110, RUF100 - whatever it is, the whole body is judged
            pass
    return read(body, decode_base64)
