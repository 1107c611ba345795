"""Bounds on a DICOM object's pixels, looked at before any is decoded."""

from __future__ import annotations

from typing import Final

from prompt4trust.pictures.dicom.frames import DicomFrame
from prompt4trust.pictures.dicom.opening import OpenedDicom
from prompt4trust.pictures.dicom.refusals import damaged, unread
from prompt4trust.pictures.jpeg.segments import START_OF_IMAGE, size_of
from prompt4trust.pictures.limits import PictureLimits, check_size, too_much_memory

_ROOM: Final = 48_000_000
"""Bytes for what does not grow with the file: tables, the scaled picture and the file that is made of it."""
_BITS: Final = frozenset({1, 8, 16, 32, 64})
_MOST_SEGMENTS: Final = 1_000
_CODED_COLOUR: Final = 3


def check_bounds(opened: OpenedDicom, frame: DicomFrame, limits: PictureLimits) -> None:
    """Refuse a frame by what the object's header says of it.

    Raises:
        PictureError: Faults of sizes, "image-too-large" by its memory, "damaged-image" by values that cannot be.
    """
    dataset = opened.dataset
    try:
        rows, columns = int(dataset.Rows), int(dataset.Columns)
        samples, bits = int(dataset.get("SamplesPerPixel") or 1), int(dataset.BitsAllocated)
    except (AttributeError, TypeError, ValueError):
        raise damaged("does not state its size and depth") from None
    check_size((columns, rows), limits)
    if samples not in (1, _CODED_COLOUR) or bits not in _BITS:
        raise unread(f"has {samples} samples of {bits} bits for each pixel, which is not read")
    pixels = rows * columns
    # The coded frame and its values, once as the decoder gives them and once in the order and colour that is used.
    stored = pixels * samples * max(1, bits // 8)
    made = pixels * (2 * samples + 6)
    size = opened.size
    coded = stored if not opened.syntax.is_encapsulated else min(size, 2 * stored)
    if size + coded + 2 * stored + made + _ROOM > limits.max_memory:
        raise too_much_memory(limits)
    has_all = opened.syntax.is_encapsulated or opened.keyword != "PixelData"
    needed = frame.count * rows * columns * samples * bits // 8
    left = size - opened.stream.tell()
    if not has_all and _halved(dataset.get("PhotometricInterpretation"), needed) > left:
        raise damaged("has fewer pixels than it states: it is cut short")


def _halved(photometric: object, needed: int) -> int:
    return needed * 2 // 3 if photometric == "YBR_FULL_422" else needed


def check_codestream(frame: bytes, rows: int, columns: int) -> None:
    """Refuse a coded frame that is larger than the object states: its decoder would make room for all of it.

    Args:
        frame: A JPEG, JPEG-LS or JPEG 2000 codestream, or another, which is let pass.
        rows: Rows that the object states.
        columns: Columns that it states.

    Raises:
        PictureError: If it is.
    """
    if frame.startswith(b"\xff\x4f"):
        size = _jpeg_2000_size(frame)
    elif frame.startswith(START_OF_IMAGE):
        size = size_of(frame, _MOST_SEGMENTS)
    else:
        return
    if size is None:
        raise damaged("holds a coded frame that does not state its size")
    if size != (columns, rows):
        raise damaged("holds a coded frame of another size than it states")


def _jpeg_2000_size(frame: bytes) -> tuple[int, int] | None:
    if frame[2:4] != b"\xff\x51" or len(frame) < 24:
        return None
    width, height, left, top = (int.from_bytes(frame[at : at + 4]) for at in (8, 12, 16, 20))
    return width - left, height - top
