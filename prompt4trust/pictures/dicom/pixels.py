"""The pixels of one frame, as the object stores them: decoded, without the bits that hold no grey."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options

from prompt4trust.errors import PictureError
from prompt4trust.pictures.dicom.bounds import check_codestream
from prompt4trust.pictures.dicom.frames import DicomFrame
from prompt4trust.pictures.dicom.opening import OpenedDicom
from prompt4trust.pictures.dicom.refusals import damaged, unknown_coding, unread

PHOTOMETRIC: Final = frozenset(
    {
        "MONOCHROME1",
        "MONOCHROME2",
        "PALETTE COLOR",
        "RGB",
        "YBR_FULL",
        "YBR_FULL_422",
        "YBR_ICT",
        "YBR_RCT",
    }
)
"""Photometric interpretations that are read."""
_COLOUR_DIMENSIONS: Final = 3


def stored_values(opened: OpenedDicom, frame: DicomFrame) -> NDArray[Any]:
    """Decode a frame.

    Args:
        opened: The object, within its bounds.
        frame: The frame.

    Returns:
        Height × width of integers or floats, or height × width × 3 of integers, as RGB.

    Raises:
        PictureError: If its coding or its colours are not read, or it is damaged.
    """
    dataset = opened.dataset
    if str(dataset.get("PhotometricInterpretation")) not in PHOTOMETRIC:
        raise unread("has colours that are not read, or does not say which it has")
    try:
        decoder = get_decoder(opened.syntax)
    except NotImplementedError:
        raise unknown_coding(opened.syntax) from None
    if not decoder.is_available:
        raise unknown_coding(opened.syntax)
    options: dict[str, Any] = {
        **as_pixel_options(dataset),
        "transfer_syntax_uid": opened.syntax,
        "pixel_keyword": opened.keyword,
    }
    stored = int(dataset.get("BitsStored") or 0)
    high = int(dataset.get("HighBit", stored - 1) or 0)
    is_low = opened.keyword != "PixelData" or high == stored - 1 or opened.syntax.is_encapsulated
    # pydicom takes out the bits above the grey's own, in which old objects keep overlays, and knows none below.
    options["correct_unused_bits"] = is_low
    if opened.vr is not None:
        options["pixel_vr"] = opened.vr
    try:
        if opened.syntax.is_encapsulated:
            _check_coded(opened, frame, options)
        values, found = decoder.as_array(opened.stream, index=frame.number - 1, validate=True, **options)
    except (MemoryError, PictureError):
        raise
    except Exception as error:
        # Decoders raise whatever an object's faults lead to.
        raise damaged("has pixels that cannot be decoded: it is damaged or cut short") from error
    if values.shape[:2] != (int(dataset.Rows), int(dataset.Columns)):
        raise damaged("holds a frame of another size than it states")
    if values.ndim == _COLOUR_DIMENSIONS and found.get("photometric_interpretation") != "RGB":
        raise unread("has colours that are not read")
    return values if is_low else _shifted(values, stored, high)


def _check_coded(opened: OpenedDicom, frame: DicomFrame, options: dict[str, Any]) -> None:
    start = opened.stream.tell()
    coded = get_frame(
        opened.stream,
        frame.number - 1,
        number_of_frames=frame.count,
        extended_offsets=options.get("extended_offsets"),
    )
    opened.stream.seek(start)
    check_codestream(coded, int(opened.dataset.Rows), int(opened.dataset.Columns))


def _shifted(values: NDArray[Any], stored: int, high: int) -> NDArray[Any]:
    """Move grey down that does not begin at the lowest bit, and restore its sign."""
    allocated = 8 * values.dtype.itemsize
    if values.dtype.kind not in "iu" or not stored - 1 < high < allocated:
        raise damaged("keeps its grey in bits that it does not have")
    unsigned = values.view(f"u{values.dtype.itemsize}") << (allocated - 1 - high)
    # Of signed values the highest bit fills those that come free.
    return np.asarray(unsigned.view(values.dtype) >> (allocated - stored))
