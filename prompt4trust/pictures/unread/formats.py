"""Names of formats that are not read, told by how their files begin: a refusal that names the file's own format helps.

Only the beginning is looked at. A name here says nothing of the rest of the file, and nothing is decoded.
"""

from __future__ import annotations

import re
from typing import Final

_HEAD: Final = 1024  # NIfTI says what it is at byte 344
# ISO base media files (ISO/IEC 14496-12, 4.3) tell their kind by a brand behind "ftyp".
_BRANDS: Final = {
    b"avif": "an AVIF picture",
    b"avis": "an AVIF picture",
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"heim": "a HEIC picture",
    b"heis": "a HEIC picture",
    b"hevc": "a HEIC picture",
    b"hevx": "a HEIC picture",
    b"isom": "a video",
    b"iso2": "a video",
    b"mp41": "a video",
    b"mp42": "a video",
    b"avc1": "a video",
    b"qt  ": "a video",
}
_BEGINNINGS: Final[tuple[tuple[str, re.Pattern[bytes]], ...]] = tuple(
    (name, re.compile(pattern, re.DOTALL))
    for name, pattern in (
        ("a GIF picture", rb"GIF8[79]a"),
        ("a JPEG 2000 picture", rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
        ("a JPEG XL picture", rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n\x87\n"),
        ("a netpbm picture", rb"P[1-6]\s+(?:#[^\n]*\s+)*\d+\s|P7\nWIDTH "),
        ("a Photoshop document", rb"8BPS"),
        ("an icon", rb"\x00\x00\x01\x00"),
        ("a NIfTI volume", rb"(?:\x5c\x01\x00\x00|\x00\x00\x01\x5c).{340}n[+i]1\x00"),
        ("a NIfTI volume", rb"(?:\x1c\x02\x00\x00|\x00\x00\x02\x1c)n[+i]2\x00"),
        ("an NRRD volume", rb"NRRD\d{4}"),
        ("a MetaImage volume", rb"ObjectType\s*=|NDims\s*="),
        ("an HDF5 or MATLAB file", rb"\x89HDF\r\n\x1a\n|MATLAB \d"),
        ("a NumPy array", rb"\x93NUMPY"),
        ("a PDF document", rb"%PDF-"),
        ("a PostScript document", rb"%!PS"),
        ("an SVG drawing", rb"(?:\xef\xbb\xbf)?\s{0,64}(?:<\?xml.{0,512}?)?<(?i:svg)[\s>]"),
        ("a web page", rb"(?:\xef\xbb\xbf)?\s{0,64}(?:<!(?i:doctype html)|<(?i:html)[\s>])"),
        ("JSON text", rb"(?:\xef\xbb\xbf)?\s{0,64}[{\[]\s{0,64}[\"{\[\]}]"),
        ("a video", rb"\x1a\x45\xdf\xa3|RIFF.{4}AVI |\x00\x00\x01\xba"),
        ("a ZIP archive", rb"PK\x03\x04|PK\x05\x06"),
        ("a compressed file", rb"\x1f\x8b|BZh[1-9]1AY&SY|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|7z\xbc\xaf\x27\x1c|Rar!"),
        ("base64 text", rb"\s{0,64}(?:data:[\w/+.-]{1,64};base64,|iVBORw0KGgo|/9j/|UklGR|SUkqA|TU0AK)"),
    )
)


def unread_format(data: bytes) -> str | None:
    r"""Name the format of a file that is not read, with its article; None where it begins as no known one.

    Args:
        data: The file, or its first kilobyte.

    Example:
        >>> unread_format(b"GIF89a\x10\x00"), unread_format(b"%PDF-1.7"), unread_format(b"hello")
        ('a GIF picture', 'a PDF document', None)
    """
    head = data[:_HEAD]
    if head[4:8] == b"ftyp":
        box = head[: int.from_bytes(head[:4], "big")]
        # The major brand may be a general one: the compatible ones, behind the minor version, tell more.
        brands = [box[8:12], *(box[place : place + 4] for place in range(16, len(box) - 3, 4))]
        return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
    return next((name for name, beginning in _BEGINNINGS if beginning.match(head)), None)
