"""Opening a DICOM object: the elements that pictures need, and the place of the pixels; no more is ever parsed."""

from __future__ import annotations

import logging
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import pydicom
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from prompt4trust.errors import PictureError
from prompt4trust.pictures.dicom.attributes import OVERLAY_ROWS, PATIENT_TAGS, PIXEL_TAGS, READ_TAGS
from prompt4trust.pictures.dicom.recognition import has_preamble
from prompt4trust.pictures.dicom.refusals import damaged
from prompt4trust.pictures.limits import PictureLimits, too_complex, too_much_memory

# What pydicom says to its log quotes values.
logging.getLogger("pydicom").propagate = False

_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_PLAIN: Final = b"1.2.840.10008.1.2.1".ljust(len(_DEFLATED), b"\0")
_LONG_VRS: Final = frozenset({b"OB", b"OW", b"OF", b"OD", b"UN", b"UT", b"SQ"})
_TRANSFER_SYNTAX: Final = (2, 0x0010)
_MOST_META: Final = 100


@dataclass(frozen=True, slots=True)
class OpenedDicom:
    """A DICOM object, opened.

    Attributes:
        dataset: Its elements, those of `attributes.READ_TAGS` and, where the limits say so, `attributes.PATIENT_TAGS`;
            no others.
        syntax: Its transfer syntax.
        stream: Its bytes, at the value of its pixels.
        size: How many these are.
        keyword: The element that holds its pixels; None without any.
        vr: How these are represented, where the object says.
    """

    dataset: Any
    syntax: UID
    stream: BytesIO
    size: int
    keyword: str | None
    vr: str | None

    @property
    def has_overlays(self) -> bool:
        """Whether there are overlay planes."""
        return any(tag in self.dataset for tag in OVERLAY_ROWS)


def open_dicom(data: bytes, limits: PictureLimits) -> OpenedDicom:
    """Open an object.

    Args:
        data: The file.
        limits: What it may cost: a deflated one may not become larger than a quarter of the memory.

    Raises:
        PictureError: If it cannot be read, is nested too deep, or becomes too large.
    """
    plain = _inflated(data, limits)
    stream = BytesIO(plain)
    try:
        tags = [*READ_TAGS, *(PATIENT_TAGS if limits.reads_sex_and_age else ())]
        dataset = pydicom.dcmread(stream, force=True, stop_before_pixels=True, specific_tags=tags)
        syntax = syntax_of(dataset)
        # An object without a header has no place that says its byte order, which pydicom needs to read tables of grey.
        dataset.file_meta.TransferSyntaxUID = syntax
        keyword, vr = _pixels_at(stream, syntax)
    except RecursionError:
        raise too_complex("sequences within sequences, deeper than any object has") from None
    except MemoryError:
        raise
    except PictureError:
        raise
    except Exception as error:
        # pydicom raises whatever the faults of a file lead to, and quotes it.
        raise damaged() from error
    return OpenedDicom(dataset, syntax, stream, len(plain), keyword, vr)


def syntax_of(dataset: Any) -> UID:
    """Find the transfer syntax in which an object's pixels are: as stated, else as the object was read."""
    stated = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    if stated:
        return UID(stated)
    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little is not False else ExplicitVRBigEndian


def _pixels_at(stream: BytesIO, syntax: UID) -> tuple[str | None, str | None]:
    """Read the head of the element that the stream has been read up to, and say which it is."""
    head = stream.read(8)
    if len(head) < 8:
        return None, None
    order = "<" if syntax.is_little_endian else ">"
    group, element = struct.unpack_from(order + "HH", head)
    keyword = PIXEL_TAGS.get(group << 16 | element)
    if keyword is None:
        return None, None
    if syntax.is_implicit_VR:
        return keyword, None
    stream.read(4)
    return keyword, head[4:6].decode("ascii", "replace")


def _inflated(data: bytes, limits: PictureLimits) -> bytes:
    """Undo the deflate transfer syntax, within bounds: a megabyte of it may hold a gigabyte."""
    at, place, syntax = 132 if has_preamble(data) else 0, 0, b""
    for _ in range(_MOST_META):
        if len(data) < at + 8 or data[at : at + 2] != b"\x02\0":
            break
        group, element, vr, length = struct.unpack_from("<HH2sH", data, at)
        start = at + 8
        if vr in _LONG_VRS:
            length, start = int.from_bytes(data[start : start + 4], "little"), start + 4
        if (group, element) == _TRANSFER_SYNTAX:
            place, syntax = start, data[start : start + length].rstrip(b"\0 ")
        at = start + length
    if syntax != _DEFLATED:
        if _DEFLATED in data[: min(at + 4096, 1 << 16)]:
            raise damaged("has a header that cannot be read")
        return data
    most = max(1, limits.max_memory // 4)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        body = inflater.decompress(data[at:], most)
    except zlib.error as error:
        raise damaged() from error
    if inflater.unconsumed_tail:
        raise too_much_memory(limits)
    return b"".join((data[:place], _PLAIN, data[place + len(_DEFLATED) : at], body))
