"""How DICOM files begin: with a preamble and DICM, or, as some archives store them, with their first element."""

from __future__ import annotations

import re
from typing import Final

_PREAMBLE: Final = 128
_MARK: Final = b"DICM"
# Elements of groups 2 and 8 in which a file without a preamble begins, with an explicit VR of either byte order.
_EXPLICIT: Final = re.compile(rb"(?:[\x02\x08]\0..|\0\x08..)(?:UL|OB|UI|CS|SH|DA|TM|LO|ST|DT)", re.DOTALL)
_GROUP_LENGTH: Final = b"\x08\0\0\0\x04\0\0\0"
_LONGEST_FIRST: Final = 64  # bytes of the first value of an implicit data set: a code or a UID


def has_preamble(data: bytes) -> bool:
    """Whether a file begins with the preamble of DICOM files (PS3.10, 7.1)."""
    return data[_PREAMBLE : _PREAMBLE + len(_MARK)] == _MARK


def begins_as_dicom(data: bytes) -> bool:
    r"""Whether a file begins as DICOM files do; says nothing of the rest.

    Without a preamble it must begin with an element of group 2 or 8, as every data set of an image does.

    Example:
        >>> begins_as_dicom(bytes(128) + b"DICM"), begins_as_dicom(b"\x08\0\x05\0CS\x0a\0ISO_IR 100")
        (True, True)
        >>> begins_as_dicom(b"\x89PNG\r\n\x1a\n"), begins_as_dicom(bytes(200))
        (False, False)
    """
    if has_preamble(data) or _EXPLICIT.match(data):
        return True
    if data.startswith(_GROUP_LENGTH):
        return True
    if len(data) < 16 or data[:2] != b"\x08\0":
        return False
    element, length = int.from_bytes(data[2:4], "little"), int.from_bytes(data[4:8], "little")
    return 0 < element <= 0x0070 and 0 < length <= _LONGEST_FIRST and length % 2 == 0 and length + 8 < len(data)
