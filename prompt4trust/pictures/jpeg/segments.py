"""The segments of a JPEG file, and of JPEG-LS: the one walk over them, which decodes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

START_OF_IMAGE: Final = b"\xff\xd8"
START_OF_SCAN: Final = 0xDA
END_OF_IMAGE: Final = 0xD9
FRAME_HEADERS: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
"""Markers of the header with the picture's size: SOF0 to SOF15, and JPEG-LS's SOF55."""
_BARE: Final = frozenset({0x01, *range(0xD0, 0xDA)})  # TEM, RSTn, SOI, EOI: without a length
# The next marker, with any number of bytes 0xFF before it as filling. Possessive, and matched from where the last
# segment ends: each byte is looked at once, however many of 0xFF there are.
_MARKER: Final = re.compile(rb"(?:[^\xff]++|\xff++\x00)*+(\xff++[^\x00\xff])")
# Within coded data 0xFF is followed by a stuffed zero or is a restart marker; anything else ends the data.
_CODED: Final = re.compile(rb"\xff[^\x00\xd0-\xd7]")


class Segment(NamedTuple):
    """A segment.

    Attributes:
        marker: Second byte of its marker.
        gap: Bytes between what came before and its marker, which belong to nothing.
        start: Where its marker begins, its filling included.
        body: Where its contents begin, behind the length.
        end: Where it ends by its length: beyond the file's end, if it is cut short, and ahead of `body` where the
            length is none. Of a scan it is where the coded data begin.
    """

    marker: int
    gap: int
    start: int
    body: int
    end: int


def segments_of(data: bytes) -> Iterator[Segment]:
    r"""Go over the segments, from behind the file's first marker; coded data lie between a scan and what follows.

    There may be very many, and more behind the end of the image: who reads them stops.

    Args:
        data: A file that begins with START_OF_IMAGE.

    Example:
        >>> [hex(each.marker) for each in segments_of(b"\xff\xd8\xff\xff\xfe\x00\x03!\xff\xd9")]
        ['0xfe', '0xd9']
    """
    at = len(START_OF_IMAGE)
    while (found := _MARKER.match(data, at)) is not None:
        start, behind = found.span(1)
        marker = data[behind - 1]
        if marker in _BARE:
            body = end = behind
        else:
            body, end = behind + 2, behind + int.from_bytes(data[behind : behind + 2])
        yield Segment(marker, start - at, start, body, end)
        at = end
        if marker == START_OF_SCAN:
            coded = _CODED.search(data, at)
            if coded is None:
                return
            at = coded.start()


def size_of(data: bytes, most_segments: int) -> tuple[int, int] | None:
    """Find the size that a file's frame header states.

    Args:
        data: A file that begins with START_OF_IMAGE.
        most_segments: How many are looked at.

    Returns:
        Width and height in pixels; None where there is no such header ahead of the first scan.
    """
    for _, segment in zip(range(most_segments), segments_of(data), strict=False):
        if segment.marker == START_OF_SCAN:
            return None
        if segment.marker in FRAME_HEADERS:
            height, width = data[segment.body + 1 : segment.body + 3], data[segment.body + 3 : segment.body + 5]
            return int.from_bytes(width), int.from_bytes(height)
    return None
