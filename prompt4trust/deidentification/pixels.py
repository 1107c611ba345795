"""Pixels of a de-identified object: decoded and written anew, as only their values may go on.

A coded frame may hold comments, bytes behind the last frame and unused bits of a pixel overlays or anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.utils import iter_pixels, pack_bits

from prompt4trust.errors import DeidentificationError

_PIXELS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_FLOATS: Final = {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}
_COLOUR: Final = 3
_LONGEST: Final = (1 << 32) - 2


def write_pixels(source: Dataset, made: Dataset, max_bytes: int) -> None:
    """Write an object's pixels into another one: native, little-endian, and nothing but their values.

    Args:
        source: The object.
        made: The one that is written; the attributes that describe pixels are changed in it as they have to be.
        max_bytes: Most bytes of the pixels.

    Raises:
        DeidentificationError: If there are none, they cannot be decoded, or they are too many.
    """
    [keyword, *others] = [name for name in _PIXELS if name in source] or [""]
    if not keyword or others:
        raise DeidentificationError("the object has no pixels, or several kinds of them")
    size = _size(source)
    if size > min(max_bytes, _LONGEST):
        raise DeidentificationError(f"the object's pixels are more than {max_bytes} bytes")
    try:
        written = bytearray()
        for frame in _frames(source, keyword):
            written += frame
    except DeidentificationError:
        raise
    except Exception as error:
        # Decoders raise whatever the faults of a file lead to, and quote it.
        raise DeidentificationError(f"the object's pixels cannot be decoded ({type(error).__name__})") from None
    if keyword == "PixelData" and source.BitsAllocated == 1:
        written = bytearray(pack_bits(np.frombuffer(bytes(written), np.uint8)))
    vr = {"FloatPixelData": "OF", "DoubleFloatPixelData": "OD"}.get(keyword, "OW" if source.BitsAllocated > 8 else "OB")
    made.add_new(keyword, vr, bytes(written) + bytes(len(written) % 2))
    for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if name in made:
            del made[name]
    if int(source.get("SamplesPerPixel") or 1) == _COLOUR:
        made.PhotometricInterpretation, made.PlanarConfiguration = "RGB", 0


def _size(source: Dataset) -> int:
    try:
        frames = int(source.get("NumberOfFrames") or 1)
        pixels = int(source.Rows) * int(source.Columns) * int(source.get("SamplesPerPixel") or 1)
        return frames * pixels * max(1, int(source.BitsAllocated) // 8)
    except (AttributeError, TypeError, ValueError):
        raise DeidentificationError("the object does not state the size of its pixels") from None


def _frames(source: Dataset, keyword: str) -> Iterator[bytes]:
    kind = _FLOATS.get(keyword)
    for frame in iter_pixels(source):
        if kind is not None:
            yield frame.astype(f"<{kind}").tobytes()
        else:
            yield _only_values(frame, source).tobytes()


def _only_values(frame: NDArray[Any], source: Dataset) -> NDArray[Any]:
    allocated, stored = int(source.BitsAllocated), int(source.BitsStored)
    if allocated > 1 and int(source.HighBit) != stored - 1:
        raise DeidentificationError("the object's pixels do not begin at their lowest bit")
    values = frame.astype(frame.dtype.newbyteorder("<"))
    unused = 8 * values.itemsize - stored
    if allocated == 1 or unused <= 0:
        return values
    # Shifted up and down again: the sign is carried on where there is one.
    return (values << unused) >> unused
