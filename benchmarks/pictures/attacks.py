"""Files that cost a decoder far more than they weigh, each written by its format's specification."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from functools import cache


def huge_webp(side: int = 8000) -> bytes:
    """Write a lossless WebP of one colour: five prefix codes of one symbol each, and no data."""
    bits = f"{side - 1:014b}"[::-1] * 2 + "0000" + "000" + "1000" * 5
    body = b"\x2f" + int(bits[::-1], 2).to_bytes(-(-len(bits) // 8), "little")
    body += b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body


def progressive_jpeg(width: int, height: int, scans: int) -> bytes:
    """Write a grey progressive JPEG whose scans say that nothing changes, for all blocks at once."""

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    blocks = -(-width // 8) * -(-height // 8)
    one_code = bytes([1, *[0] * 15])
    runs = [min(32767, max(16384, blocks - begun)) for begun in range(0, blocks, 32767)]
    bits = "".join(f"0{run - 16384:014b}" for run in runs)
    bits += "1" * (-len(bits) % 8)
    nothing = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, b"\0" + b"\1" * 64),
            segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"),
            segment(0xC4, b"\0" + one_code + b"\0"),
            segment(0xC4, b"\x10" + one_code + b"\xe0"),
            segment(0xDA, b"\1\1\0\0\0\0") + bytes(-(-blocks // 8)),
            *[segment(0xDA, b"\1\1\0\1\x3f\0") + nothing] * scans,
            b"\xff\xd9",
        ]
    )


def tiff_of(tags: Mapping[int, tuple[int, int, int]], data: bytes = b"") -> bytes:
    """Write a TIFF of these tags: number -> type, count, value or place; the data lies at its end."""
    entries = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0\0\0\0" + data


def huge_tiles(side: int = 16_000) -> bytes:
    """Write a TIFF of 64 x 64 pixels that lie in a tile of 256 million."""
    data = zlib.compress(b"\0" * 9)
    tags = {
        256: (4, 1, 64),
        257: (4, 1, 64),
        258: (3, 1, 32),
        259: (3, 1, 8),  # deflate
        262: (3, 1, 1),
        277: (3, 1, 1),
        322: (4, 1, side),
        323: (4, 1, side),
        324: (4, 1, 8 + 2 + 12 * 11 + 4),
        325: (4, 1, len(data)),
        339: (3, 1, 3),  # floats
    }
    return tiff_of(tags, data)


def chunked_png(chunks: int) -> bytes:
    """Write a PNG of a great many empty chunks."""

    def chunk(kind: bytes, body: bytes = b"") -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 65 * 64))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"teSt") * chunks + pixels + chunk(b"IEND")


def junk_jpeg(size: int) -> bytes:
    """Write a JPEG with junk ahead of its frame, which Pillow reads byte for byte."""
    plain = progressive_jpeg(64, 64, 1)
    at = plain.index(b"\xff\xc2")
    return plain[:at] + b"\x01" * size + plain[at:]


@cache
def five_attacks() -> Mapping[str, tuple[bytes, int, str]]:
    """Make five that took services down, by name, each with the gateway's status and fault."""
    return {
        "webp of 64 million pixels": (huge_webp(), 413, "image-too-large"),
        "jpeg of a thousand scans": (progressive_jpeg(4000, 4000, 1000), 422, "image-too-complex"),
        "jpeg of six thousand scans": (progressive_jpeg(8000, 8000, 6000), 422, "image-too-complex"),
        "tiff of huge tiles": (huge_tiles(), 413, "image-too-large"),
        "png of a hundred thousand chunks": (chunked_png(100_000), 422, "image-too-complex"),
    }
