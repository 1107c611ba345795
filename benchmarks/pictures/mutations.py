"""Picture files with faults: real ones of all formats, broken at random, the same for the same seed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.pictures.attacks import chunked_png, huge_tiles, huge_webp, junk_jpeg, progressive_jpeg

_SIDES = (96, 72)
_ODD = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF, 8000, 65500)
_WRITTEN: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("L", "PNG", {}),
    ("P", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("I;16", "PNG", {}),
    ("L", "JPEG", {}),
    ("RGB", "JPEG", {"progressive": True}),
    ("CMYK", "JPEG", {}),
    ("RGB", "MPO", {"save_all": True}),
    ("RGB", "WEBP", {"quality": 60}),
    ("RGBA", "WEBP", {"lossless": True}),
    ("RGB", "WEBP", {"save_all": True}),
    ("RGB", "BMP", {}),
    ("1", "BMP", {}),
    ("1", "TIFF", {"compression": "group4"}),
    ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    ("RGB", "TIFF", {"compression": "jpeg"}),
    ("I;16", "TIFF", {"compression": "tiff_deflate"}),
    ("F", "TIFF", {"compression": "packbits"}),
)


@cache
def whole_files() -> tuple[bytes, ...]:
    """Files without faults, some kilobytes each, and the attacks on a small scale."""
    rng = np.random.default_rng(1)
    noise = Image.fromarray(rng.integers(0, 60, _SIDES, dtype=np.uint8))
    grey = Image.blend(Image.linear_gradient("L").resize(noise.size), noise, 0.3)
    colour = Image.merge("RGB", (grey, noise, grey.transpose(Image.Transpose.ROTATE_180)))
    files = []
    for mode, form, options in _WRITTEN:
        if mode == "I;16":
            image = Image.fromarray(np.asarray(grey).astype(np.uint16) * np.uint16(200))
        else:
            image = (colour if mode in ("RGB", "RGBA", "CMYK", "P") else grey).convert(mode)
        exif = Image.Exif()
        exif[0x0112] = 6
        more = {"append_images": [image.rotate(90)]} if options.get("save_all") else {}
        buffer = BytesIO()
        image.save(buffer, form, **options, **more, **({"exif": exif} if form in ("PNG", "JPEG", "WEBP") else {}))
        files.append(buffer.getvalue())
    return (*files, huge_webp(64), huge_tiles(256), chunked_png(20), junk_jpeg(20), progressive_jpeg(64, 64, 12))


def mutated_files(count: int, seed: int) -> Iterator[bytes]:
    """Break files: bits, bytes, numbers of two and four bytes, parts left out, doubled, or of another file.

    Args:
        count: How many.
        seed: Another seed, other files.
    """
    rng = np.random.default_rng(seed)
    whole = whole_files()
    for _ in range(count):
        data = bytearray(whole[rng.integers(len(whole))])
        for _ in range(1 + rng.geometric(0.4)):
            if data:
                _break(data, rng, whole)
        yield bytes(data)


def _break(data: bytearray, rng: np.random.Generator, whole: tuple[bytes, ...]) -> None:
    # Headers lie at the beginning, and half of the faults with them.
    at = int(rng.integers(min(len(data), 200) if rng.random() < 0.5 else len(data)))
    size = int(rng.integers(1, 64))
    match rng.integers(7):
        case 0:
            data[at] ^= 1 << int(rng.integers(8))
        case 1:
            data[at] = int(rng.integers(256))
        case 2 | 3:
            form = ("<", ">")[rng.integers(2)] + "HI"[rng.integers(2)]
            number = _ODD[rng.integers(len(_ODD))] & (0xFFFF if form[1] == "H" else 0xFFFFFFFF)
            data[at : at + struct.calcsize(form)] = struct.pack(form, number)
        case 4:
            del data[at : at + size]
        case 5:
            data[at:at] = data[at : at + size] * int(rng.integers(1, 40))
        case 6:
            other = whole[rng.integers(len(whole))]
            begin = int(rng.integers(len(other)))
            data[at : at + size] = other[begin : begin + size]
