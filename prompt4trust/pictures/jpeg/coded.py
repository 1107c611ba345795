"""JPEG files as they go on: the client's own coded picture where that can be, and nothing that lies around it."""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from typing import Final

from PIL import Image

from prompt4trust.pictures.jpeg.segments import END_OF_IMAGE, START_OF_IMAGE, START_OF_SCAN, segments_of

# SOI, and an APP0 that says nothing but "JFIF": one component is grey, three are YCbCr (JFIF 1.02, ITU-T T.871).
_HEAD: Final = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\1\0\1\0\0"
_END: Final = b"\xff\xd9"
_APP0, _APP14 = 0xE0, 0xEE
_CODES, _STEPS, _RESTARTS = 0xC4, 0xDB, 0xDD  # DHT, DQT, DRI
_METADATA: Final = frozenset({*range(0xE0, 0xF0), 0xFE})  # APPn, COM
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive, all with Huffman codes
_MOST_SEGMENTS: Final = 256
_QUALITIES: Final = (95, 92, 88, 82, 75, 65, 50, 35)


def bare_jpeg(data: bytes) -> bytes | None:
    """Take everything from a JPEG but its picture: metadata, thumbnails, further pictures, bytes behind its end.

    The coded picture stays as it is, bit for bit, so that the result decodes to the same pixels.

    Args:
        data: The file.

    Returns:
        The bare file; None where the file is no plain JPEG: eight bits, Huffman codes, grey or YCbCr, well formed.
    """
    if not data.startswith(START_OF_IMAGE):
        return None
    parts, kinds, coded_from = [_HEAD], set[int](), 0
    is_jfif, adobe, frame = False, None, b""
    for segment in islice(segments_of(data), _MOST_SEGMENTS):
        marker, body = segment.marker, data[segment.body : segment.end]
        if segment.gap or not segment.body <= segment.end <= len(data):
            return None
        if coded_from:
            parts.append(data[coded_from : segment.start])
            coded_from = 0
        if marker == END_OF_IMAGE:
            has_all = {START_OF_SCAN, _CODES, _STEPS} <= kinds
            return b"".join([*parts, _END]) if has_all and _is_grey_or_ycbcr(frame, is_jfif, adobe) else None
        if marker in _METADATA:
            # Decoders look for these two before the first scan only.
            if START_OF_SCAN not in kinds:
                is_jfif |= marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 14
                adobe = body[11] if marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12 else adobe
            continue
        if marker in _FRAMES and not frame:
            frame = body
        elif marker not in (_CODES, _STEPS, _RESTARTS) and not (marker == START_OF_SCAN and frame):
            return None
        kinds.add(marker)
        parts.append(bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body)
        if marker == START_OF_SCAN:
            coded_from = segment.end
    return None


def encode_jpeg(pixels: Image.Image, most_bytes: int) -> bytes:
    """Encode a picture anew, of high quality and with full resolution of colour.

    Args:
        pixels: Of mode L or RGB.
        most_bytes: Size above which lower qualities are tried, from 95 down to 35.

    Returns:
        The file, which `bare_jpeg` leaves as it is.
    """
    for quality in _QUALITIES:
        buffer = BytesIO()
        pixels.save(buffer, "JPEG", quality=quality, subsampling=0)
        if buffer.tell() <= most_bytes:
            break
    return buffer.getvalue()


def _is_grey_or_ycbcr(frame: bytes, is_jfif: bool, adobe: int | None) -> bool:
    """Judge by what libjpeg goes by; everything else it reads as RGB, CMYK or YCCK."""
    if len(frame) < 6 or frame[0] != 8 or len(frame) != 6 + 3 * frame[5]:
        return False
    if frame[5] == 3:
        return is_jfif or (frame[6::3] != b"RGB" if adobe is None else adobe == 1)
    return frame[5] == 1
