"""Headers of picture files, looked at before a decoder is: what would cost more than a picture may is refused.

Only sizes and counts are looked at, and damage is left to the decoders to find. Python reads a bounded number of
segments here; whatever could be long is searched in C.
"""

from __future__ import annotations

import re
import struct
from itertools import islice, takewhile
from typing import Final

from PIL import Image

from prompt4trust.errors import PictureError
from prompt4trust.pictures.jpeg.segments import FRAME_HEADERS, START_OF_IMAGE, START_OF_SCAN, Segment, segments_of
from prompt4trust.pictures.limits import PictureLimits, too_complex, too_many_pixels, too_much_memory
from prompt4trust.pictures.unread.kinds import unread_jpeg

MOST_SEGMENTS: Final = 10_000
"""Most segments (PNG and WebP: chunks) of a file: Pillow reads each in Python."""
MOST_SCANS: Final = 64
"""Most scans of a JPEG: each goes over the whole picture. Progressive encoders write about ten."""
MOST_TILES: Final = 100_000
"""Most tiles or strips of a TIFF."""
_MOST_JUNK: Final = 65_536
_MOST_TAGS: Final = 1_000
_MOST_VALUES: Final = 250_000  # numbers of one TIFF tag, as many as a colour map of 16 bits has and some

# Not bytes.find and bytes.count, which take four times as long for two bytes.
_SCAN: Final = re.compile(rb"\xff\xda")
_SCAN_OR_END: Final = re.compile(rb"\xff([\xda\xd9])")

_TIFF_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_TIFF_OPAQUE: Final = frozenset({1, 2, 6, 7})  # types of which Pillow makes bytes, not a tuple of numbers
_WIDTH, _HEIGHT, _BITS, _SAMPLES, _ROWS = 256, 257, 258, 277, 278
_STRIPS, _TILE_WIDTH, _TILE_HEIGHT, _TILES = 273, 322, 323, 324

_ANIMATED_WEBP: Final = 0x02
_WEBP_BYTES: Final = 16
"""Bytes a pixel: two canvases of libwebp, the frame, its copy as Python's bytes, and Pillow's picture."""

_STORED: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes a pixel in Pillow's memory; 4 of every other mode."""
_MADE: Final = {
    "1": 1,
    "L": 0,
    "LA": 1,
    "La": 1,
    "RGB": 1,
    "I;16": 3,
    "I;16B": 3,
    "I;16L": 3,
    "I;16N": 3,
    "I": 7,
    "F": 7,
}
"""Bytes a pixel that are made of it besides; 5 of every other mode: RGB, and the grey that it may turn out to be."""
_ROOM: Final = 48_000_000
"""Bytes for what does not grow with the file: the scaled picture, the file that is made of it, tables."""


def check_structure(data: bytes, limits: PictureLimits) -> None:
    """Refuse a file by its structure, before anything opens it.

    Args:
        data: The file.
        limits: What it may cost.

    Raises:
        PictureError: Faults "image-too-complex", "image-too-large" and "animated-image".
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        _check_png(data)
    elif data.startswith(START_OF_IMAGE):
        _check_jpeg(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        _check_webp(data, limits)
    elif data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        _check_tiff(data, limits)


def memory_needed(image: Image.Image, data: bytes, wanted: tuple[int, int]) -> int:
    """Bytes that it takes to decode a picture and make it what models see, by its header.

    Args:
        image: As Pillow opened it, not yet decoded.
        data: Its file.
        wanted: Size that it is scaled to, in pixels; a JPEG's decoder comes near to that by itself.
    """
    pixels, needed = image.width * image.height, 2 * len(data) + _ROOM
    each = _MADE.get(image.mode, 5) + (_WEBP_BYTES if image.format == "WEBP" else _STORED.get(image.mode, 4))
    if image.format not in ("JPEG", "MPO"):
        return needed + pixels * each
    if sum(1 for _ in islice(_SCAN.finditer(data), 2)) > 1:
        needed += pixels * 2 * len(image.getbands())  # the coefficients of all scans
    most = min(image.width / wanted[0], image.height / wanted[1])
    shrunk = max(by for by in (1, 2, 4, 8) if by <= max(1, most))
    return needed + pixels // shrunk**2 * each


def _check_png(data: bytes) -> None:
    at, count = 8, 0
    while at + 8 <= len(data):
        (length,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        at, count = at + 12 + length, count + 1
        if count > MOST_SEGMENTS:
            raise too_complex(f"more than {MOST_SEGMENTS} chunks")
        if kind == b"IEND":
            return


def _check_jpeg(data: bytes) -> None:
    at, junk = len(START_OF_IMAGE), 0
    for count, segment in enumerate(segments_of(data), start=1):
        if count > MOST_SEGMENTS:
            raise too_complex(f"more than {MOST_SEGMENTS} segments")
        junk, at = junk + segment.gap, segment.end
        if junk > _MOST_JUNK:
            raise _junk()
        if segment.marker in FRAME_HEADERS and (kind := unread_jpeg(segment.marker, _bits(data, segment))) is not None:
            raise PictureError("unsupported-image", f"The file is {kind}, which is not read: export it as PNG.")
        if segment.marker == START_OF_SCAN:
            further = takewhile(lambda each: each[1] == b"\xda", _SCAN_OR_END.finditer(data, at))
            if sum(1 for _ in islice(further, MOST_SCANS)) >= MOST_SCANS:
                raise too_complex(f"more than {MOST_SCANS} scans")
            return
    # Pillow would go through all of it, byte for byte.
    if junk + len(data) - at > _MOST_JUNK:
        raise _junk()


def _bits(data: bytes, segment: Segment) -> int:
    return data[segment.body] if segment.body < min(segment.end, len(data)) else 0


def _junk() -> PictureError:
    return PictureError("damaged-image", "The image cannot be decoded: bytes lie between the parts of its file.")


def _check_webp(data: bytes, limits: PictureLimits) -> None:
    at = 12
    for _ in range(MOST_SEGMENTS):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 18]
        if len(body) < 5:
            return
        size = None
        if kind == b"VP8X" and len(body) == 10:
            if body[0] & _ANIMATED_WEBP:
                raise PictureError(
                    "animated-image", "The image holds several frames or pages: send the one that is meant."
                )
            size = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        elif kind == b"VP8L":
            bits = int.from_bytes(body[1:5], "little")
            size = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"VP8 " and len(body) == 10:
            size = int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
        if size is not None:
            # Opening it takes memory for the canvas already.
            if size[0] * size[1] > limits.max_pixels:
                raise too_many_pixels(limits, size)
            if size[0] * size[1] * _WEBP_BYTES + 2 * len(data) + _ROOM > limits.max_memory:
                raise too_much_memory(limits)
        at += 8 + length + length % 2
    raise too_complex(f"more than {MOST_SEGMENTS} chunks")


def _check_tiff(data: bytes, limits: PictureLimits) -> None:
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    start, number, entry = ("Q", "Q", "HHQ8s") if is_big else ("I", "H", "HHI4s")
    try:
        (at,) = struct.unpack_from(order + start, data, 8 if is_big else 4)
        (tags,) = struct.unpack_from(order + number, data, at)
        if tags > _MOST_TAGS:
            raise too_complex(f"more than {_MOST_TAGS} tags")
        first, size = at + struct.calcsize(order + number), struct.calcsize(order + entry)
        found = [struct.unpack_from(order + entry, data, first + size * each) for each in range(tags)]
    except struct.error:
        return
    total, values = 0, dict[int, int]()
    for tag, kind, count, field in found:
        total += count * _TIFF_BYTES.get(kind, 1)
        if kind not in _TIFF_OPAQUE and count > (MOST_TILES if tag in (_STRIPS, _TILES) else _MOST_VALUES):
            raise too_complex(f"more than {MOST_TILES} tiles or values of a tag")
        values[tag] = _first_value(data, order, _TIFF_BYTES.get(kind, 0), count, field)
    # Tags may all point to the same bytes, each of which would be copied.
    if total > 2 * len(data) + 1_000_000:
        raise too_complex("tags of more bytes than itself")
    pieces = [(values.get(_TILE_WIDTH, 0), values.get(_TILE_HEIGHT, 0))]
    pieces.append((values.get(_WIDTH, 0), min(values.get(_ROWS, 1 << 32), values.get(_HEIGHT, 0))))
    samples, bits = max(1, values.get(_SAMPLES, 1)), max(1, values.get(_BITS, 1))
    # Each is decoded whole, however little of it lies in the picture.
    if (
        max(width * height for width, height in pieces) * samples * bits // 8 + 2 * len(data) + _ROOM
        > limits.max_memory
    ):
        raise too_much_memory(limits)


def _first_value(data: bytes, order: str, width: int, count: int, field: bytes) -> int:
    """Read an integer of a tag, or the first of several; 0 where it has none."""
    form = {1: "B", 2: "H", 4: "I", 8: "Q"}.get(width)
    if form is None or not count:
        return 0
    if width * count > len(field):
        at = struct.unpack(order + ("I" if len(field) == 4 else "Q"), field)[0]
        field = data[at : at + width]
    return int(struct.unpack_from(order + form, field)[0]) if len(field) >= width else 0
