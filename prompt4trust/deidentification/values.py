"""Values of a de-identified object: dummies, replaced identifiers, and what of a value may stay."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any, Final

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.uid import UID

from prompt4trust.pictures.dicom.attributes import several

KEPT_TEXTS: Final = frozenset(
    {
        "ConvolutionKernel",
        "Manufacturer",
        "ManufacturerModelName",
        "ModalityLUTType",
        "RescaleType",
    }
)
"""Texts beyond the profile's table that stay: of devices, by their kind."""
KEPT_BYTES: Final = frozenset(
    {
        "BluePaletteColorLookupTableData",
        "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths",
        "GreenPaletteColorLookupTableData",
        "LUTData",
        "RedPaletteColorLookupTableData",
        "SegmentedBluePaletteColorLookupTableData",
        "SegmentedGreenPaletteColorLookupTableData",
        "SegmentedRedPaletteColorLookupTableData",
    }
)
"""Bytes that stay, beside the pixels."""
_TEXTS: Final = frozenset({"LO", "SH"})
_NUMBERS: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
_BYTES: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_DECIMAL: Final = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_CODE: Final = re.compile(r"[A-Z0-9_ ]{0,16}", re.ASCII)
_REGISTERED: Final = "1.2.840.10008."
"""Root of the identifiers that the standard itself gives: of classes and transfer syntaxes, never of instances."""
_DUMMIES: Final[dict[str, Any]] = {
    "AE": "NONE",
    "AS": "000Y",
    "AT": 0,
    "CS": "NONE",
    "DA": "19000101",
    "DT": "19000101000000",
    "TM": "000000",
    "LO": "REMOVED",
    "LT": "REMOVED",
    "SH": "REMOVED",
    "ST": "REMOVED",
    "UC": "REMOVED",
    "UT": "REMOVED",
    "PN": "REMOVED",
    "UR": "about:blank",
    "DS": "0",
    "IS": "0",
    **dict.fromkeys(("US", "SS", "UL", "SL", "UV", "SV"), 0),
    **dict.fromkeys(("FL", "FD"), 0.0),
}


def dummy(vr: str) -> Any:
    r"""Give a value of a representation that says nothing; bytes for those of bytes.

    Example:
        >>> dummy("DA"), dummy("OB")
        ('19000101', b'\x00\x00')
    """
    return _DUMMIES.get(vr, bytes(8) if vr in ("OD", "OV") else bytes(4) if vr in ("OF", "OL") else bytes(2))


def replaced_uid(uid: str, key: bytes) -> str:
    """Replace an identifier: the same by the same key, and not to be found out without it.

    Those that the standard registers stay.

    Example:
        >>> replaced_uid("1.2.840.10008.1.2", b"0" * 32)
        '1.2.840.10008.1.2'
        >>> replaced_uid("1.2.3", b"0" * 32) == replaced_uid("1.2.3", b"0" * 32) != replaced_uid("1.2.3", b"1" * 32)
        True
    """
    if not uid or (uid.startswith(_REGISTERED) and UID(uid, config.IGNORE).name != uid):
        return uid
    digest = hmac.new(key, uid.encode("utf-8", "replace"), hashlib.sha256).digest()
    # A UUID's form (PS3.5, B.2), of version 8: made of one's own data.
    number = int.from_bytes(digest[:16], "big") & ~(0xF << 76) & ~(0x3 << 62) | (0x8 << 76) | (0x2 << 62)
    return f"2.25.{number}"


def pseudonym(name: str, key: bytes) -> str:
    """Replace a patient's identifier: the same by the same key, and not to be found out without it.

    Example:
        >>> pseudonym("4711", b"0" * 32) == pseudonym("4711", b"0" * 32) != pseudonym("4712", b"0" * 32)
        True
        >>> pseudonym("", b"0" * 32)
        ''
    """
    # Another purpose than an identifier's: equal texts have nothing in common.
    digest = hmac.new(key, b"patient\0" + name.strip().encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    return f"P{digest[:31].upper()}" if name.strip() else ""


def may_stay(element: DataElement) -> bool:
    """Whether an element that the profile does not name stays as it is: a number, a code, or one of those named here.

    Free texts, names, addresses and bytes do not: the profile's table names those that are known to tell of somebody,
    and a device may have written anything into the others.
    """
    vr, keyword = element.VR, element.keyword
    if vr in _NUMBERS:
        return True
    if vr in ("DS", "IS"):
        return all(_DECIMAL.fullmatch(str(each)) for each in several(element.value))
    if vr == "CS":
        return all(_CODE.fullmatch(str(each)) for each in several(element.value))
    if vr in _TEXTS:
        return keyword in KEPT_TEXTS
    return vr in _BYTES and keyword in KEPT_BYTES
