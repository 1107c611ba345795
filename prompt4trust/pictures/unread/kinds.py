"""Kinds of PNG, JPEG, TIFF and BMP that are not read, since what came out would be another picture than the file's.

Pillow opens them without an error and takes signs, byte orders or planes for what they are not, or leaves nothing but
black. A model would answer about that picture, and nobody would see why.
"""

from __future__ import annotations

from typing import Any, Final

from PIL import Image

from prompt4trust.errors import PictureError
from prompt4trust.pictures.grey_values import bands

_BITS, _COMPRESSION, _PLANES, _COLOURS, _FORMAT, _SUBSAMPLING = 258, 259, 284, 320, 339, 530
_SEPARATE: Final = 2
_SIGNED: Final = 2
_UNSIGNED: Final = 1
_UNCOMPRESSED: Final = 1
_BIG_ENDIAN: Final = b"MM"
_BYTE: Final = 8
_LARGEST_OF_TWELVE: Final = 0x0F
"""Largest upper byte of values of 12 bits that stand in 16."""

_FRAMES: Final = {
    **dict.fromkeys((0xC3, 0xCB), "a lossless JPEG"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "a hierarchical JPEG"),
    0xF7: "a JPEG-LS picture",
}
"""Markers of frames that Pillow's decoder of JPEG does not know (ITU-T T.81, B.1; T.87)."""


def unread_jpeg(marker: int, bits: int) -> str | None:
    """Name the kind of a JPEG that is not read, with its article; None of one that may be.

    Args:
        marker: Second byte of the marker of its frame.
        bits: Bits of a sample, as the frame states them.

    Example:
        >>> unread_jpeg(0xC1, 12), unread_jpeg(0xC0, 8)
        ('a JPEG of 12 bits', None)
    """
    if marker in _FRAMES:
        return _FRAMES[marker]
    return f"a JPEG of {bits} bits" if bits in (12, 16) else None


def check_kind(image: Image.Image) -> None:
    """Refuse a picture that would be misread, by its header.

    Args:
        image: As Pillow opened it, not yet decoded.

    Raises:
        PictureError: Fault "unsupported-image".
    """
    if image.format == "TIFF" and (kind := _misread_tiff(image)) is not None:
        raise _unread(f"is a TIFF with {kind}, which is not read: export it as PNG")


def _misread_tiff(image: Image.Image) -> str | None:
    tags: Any = getattr(image, "tag_v2", {})
    bits, form = _first(tags.get(_BITS, 1)), _first(tags.get(_FORMAT, _UNSIGNED))
    coded = tags.get(_COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED
    if image.mode == "L" and bits == _BYTE and form == _SIGNED:
        return "signed grey of 8 bits"
    if image.mode in ("I", "F") and coded and tags.prefix == _BIG_ENDIAN:
        return "compressed grey of more than 8 bits and the higher byte first"
    if tags.get(_PLANES) == _SEPARATE:
        if image.mode in ("LA", "La"):
            return "grey and transparency in planes of their own"
        if bits > _BYTE and not coded:
            return f"planes of {bits} bits"
    if image.mode == "YCbCr" and not coded and tuple(tags.get(_SUBSAMPLING, (2, 2))) != (1, 1):
        return "YCbCr of which several pixels share a colour"
    if image.mode in ("P", "PA") and max(tags.get(_COLOURS, (0,))) >> _BYTE == 0:
        return "a table of colours that are all black"
    return None


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and value else value


def is_deep_colour(image: Image.Image) -> bool:
    """Whether a picture, not yet decoded, has 16 bits for each of several channels, of which the upper 8 are kept."""
    return image.mode in ("RGB", "RGBA", "LA") and any(";16" in str(each.args) for each in getattr(image, "tile", ()))


def check_upper_bits(image: Image.Image) -> None:
    """Refuse a decoded picture of 16 bits a channel whose values take up the lower 12 only: it would be black.

    Raises:
        PictureError: Fault "unsupported-image".
    """
    ends = image.getextrema()[: 1 if image.mode == "LA" else 3]
    if max(int(high) for _, high in ends) <= _LARGEST_OF_TWELVE:  # type: ignore[misc]
        raise _unread("has 16 bits a channel and fills the lower 12 at most, so that it would be black: export 8 bits")


def check_signs(image: Image.Image) -> None:
    """Refuse a decoded TIFF of unsigned grey of 32 bits whose values are too large for the signed ones that it became.

    Raises:
        PictureError: Fault "unsupported-image".
    """
    tags: Any = getattr(image, "tag_v2", {})
    if image.mode != "I" or image.format != "TIFF" or _first(tags.get(_FORMAT, _UNSIGNED)) != _UNSIGNED:
        return
    if any(int(band.getextrema()[0]) < 0 for _, band in bands(image)):  # type: ignore[arg-type]
        raise _unread("is a TIFF with grey of 32 bits beyond 2 147 483 647, which is not read: export 16 bits")


def transparent_throughout() -> PictureError:
    """Error for a picture of which nothing is seen."""
    return _unread("is transparent throughout, so that nothing of it is seen: export it without transparency")


def _unread(what: str) -> PictureError:
    return PictureError("unsupported-image", f"The image {what}.")
