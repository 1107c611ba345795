"""Kinds of files that would be read as another picture: each is refused, and its nearest neighbour is read."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_picture
from prompt4trust.pictures.unread.kinds import unread_jpeg

LIMITS = PictureLimits()
SIDE = 16
RAMP: Final = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
COLOUR: Final = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=-1)

TAGS: Final = {"bits": 258, "compression": 259, "photometric": 262, "samples": 277, "planes": 284, "colours": 320,
               "extra": 338, "form": 339, "subsampling": 530}  # fmt: skip


def tiff(values: np.ndarray[Any, Any], order: str = "<", *, compressed: bool = False, **tags: int | list[int]) -> bytes:
    """A TIFF of one strip a plane, written by the specification (TIFF 6.0) and by no library."""
    planes = [*values] if tags.get("planes") == 2 else [values]
    strips = [plane.astype(plane.dtype.newbyteorder(order)).tobytes() for plane in planes]
    strips = [zlib.compress(strip) for strip in strips] if compressed else strips
    samples = int(tags.get("samples", 1))  # type: ignore[arg-type]
    named: dict[int, list[int]] = {
        256: [SIDE], 257: [SIDE], 258: [values.dtype.itemsize * 8] * samples, 259: [8 if compressed else 1],
        273: [0] * len(strips), 278: [SIDE], 279: [len(strip) for strip in strips],
        **{TAGS[name]: value if isinstance(value, list) else [value] for name, value in tags.items()},
    }  # fmt: skip
    start = 8
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, start)
    behind = start + 2 + 12 * len(named) + 4
    widths = {tag: "H" if tag != 273 and max(value) < 65_536 else "I" for tag, value in named.items()}
    sizes = {tag: struct.calcsize(f"={len(value)}{widths[tag]}") for tag, value in named.items()}
    first = behind + sum(size for size in sizes.values() if size > 4)
    named[273] = [first + sum(map(len, strips[:each])) for each in range(len(strips))]
    entries, tables = b"", b""
    for tag, value in sorted(named.items()):
        packed = struct.pack(f"{order}{len(value)}{widths[tag]}", *value)
        if len(packed) > 4:
            field, tables = struct.pack(order + "I", behind + len(tables)), tables + packed
        else:
            field = packed.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, 3 if widths[tag] == "H" else 4, len(value)) + field
    return b"".join([head, struct.pack(order + "H", len(named)), entries, bytes(4), tables, *strips, bytes(4_000)])


def file(image: Image.Image, form: str) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def refusal_of(data: bytes) -> str:
    with pytest.raises(PictureError) as refused:
        decode_picture(data, LIMITS)
    assert refused.value.fault == "unsupported-image"
    return refused.value.detail


def shades(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(decode_picture(data, LIMITS).pixels)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_signed_grey_of_eight_bits_would_have_its_middle_turned_round(order: str, compressed: bool) -> None:
    signed = (RAMP - 128).astype(np.int8)
    assert "signed grey" in refusal_of(tiff(signed, order, compressed=compressed, photometric=1, form=2))
    unsigned = tiff(RAMP.astype(np.uint8), order, compressed=compressed, photometric=1, form=1)
    assert np.array_equal(shades(unsigned), RAMP)


@pytest.mark.parametrize(("kind", "form"), [(np.int16, 2), (np.int32, 2), (np.float32, 3)])
def test_deep_grey_with_the_higher_byte_first_is_read_only_where_it_is_not_compressed(kind: type, form: int) -> None:
    values: np.ndarray[Any, Any] = (RAMP * 16 - 1024).astype(kind)
    for order, compressed in (("<", False), ("<", True), (">", False)):
        assert np.array_equal(shades(tiff(values, order, compressed=compressed, photometric=1, form=form)), RAMP)
    assert "higher byte first" in refusal_of(tiff(values, ">", compressed=True, photometric=1, form=form))


def test_unsigned_grey_of_32_bits_is_read_as_far_as_it_is_not_taken_for_negative() -> None:
    for top, is_read in ((1 << 31, True), (1 << 32, False)):
        data = tiff((RAMP * (top // 256)).astype(np.uint32), photometric=1, form=1)
        if is_read:
            assert np.array_equal(shades(data), RAMP)
        else:
            assert "beyond 2 147 483 647" in refusal_of(data)
    negative = tiff((RAMP - 100).astype(np.int32), photometric=1, form=2)
    assert np.array_equal(shades(negative), RAMP)


@pytest.mark.parametrize("order", ["<", ">"])
def test_colours_of_16_bits_are_not_read_from_planes_that_are_not_compressed(order: str) -> None:
    planes = np.moveaxis(COLOUR, -1, 0)
    tags: dict[str, Any] = {"photometric": 2, "samples": 3, "planes": 2}
    assert "planes of 16 bits" in refusal_of(tiff((planes * 257).astype(np.uint16), order, **tags))
    assert np.array_equal(shades(tiff(planes.astype(np.uint8), order, **tags)), COLOUR)
    assert np.array_equal(shades(tiff((planes * 257).astype(np.uint16), order, compressed=True, **tags)), COLOUR)
    together = tiff((COLOUR * 257).astype(np.uint16), order, photometric=2, samples=3)
    assert np.array_equal(shades(together), COLOUR)


def test_grey_and_transparency_are_not_read_from_planes_of_their_own() -> None:
    planes = np.stack([RAMP, np.full_like(RAMP, 255)]).astype(np.uint8)
    tags: dict[str, Any] = {"photometric": 1, "samples": 2, "extra": 2}
    assert "planes of their own" in refusal_of(tiff(planes, compressed=True, planes=2, **tags))
    assert np.array_equal(shades(tiff(np.moveaxis(planes, 0, -1), **tags)), RAMP)


def test_colours_that_pixels_share_are_not_read() -> None:
    ycbcr = np.asarray(Image.fromarray(COLOUR.astype(np.uint8)).convert("YCbCr"))
    tags: dict[str, Any] = {"photometric": 6, "samples": 3}
    assert "share a colour" in refusal_of(tiff(ycbcr, **tags))
    assert "share a colour" in refusal_of(tiff(ycbcr, **tags, subsampling=[2, 1]))
    assert np.abs(shades(tiff(ycbcr, **tags, subsampling=[1, 1])).astype(int) - COLOUR).max() <= 3


def test_a_table_of_colours_that_holds_bytes_would_be_black() -> None:
    for unit, is_read in ((1, False), (257, True)):
        data = tiff(RAMP.astype(np.uint8), photometric=3, colours=[each * unit for each in range(256)] * 3)
        if is_read:
            assert np.array_equal(shades(data), RAMP)
        else:
            assert "all black" in refusal_of(data)


@pytest.mark.parametrize("compressed", [False, True])
def test_colour_of_12_bits_in_16_would_be_black(compressed: bool) -> None:
    for unit, is_read in ((16, False), (257, True)):
        data = tiff((COLOUR * unit).astype(np.uint16), compressed=compressed, photometric=2, samples=3)
        if is_read:
            assert np.array_equal(shades(data), COLOUR)
        else:
            assert "lower 12" in refusal_of(data)


def test_a_dark_picture_of_8_bits_is_read() -> None:
    assert np.array_equal(shades(file(Image.fromarray((COLOUR // 32).astype(np.uint8)), "PNG")), COLOUR // 32)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_picture_of_which_nothing_is_seen_is_refused(form: str, mode: str) -> None:
    picture = Image.fromarray(COLOUR.astype(np.uint8)).convert(mode)
    picture.putalpha(0)
    assert "transparent throughout" in refusal_of(file(picture, form))
    picture.putalpha(Image.fromarray((RAMP == 255).astype(np.uint8)))
    assert decode_picture(file(picture, form), LIMITS).size == (SIDE, SIDE)


def test_a_bmp_whose_fourth_byte_was_left_at_zero_is_refused() -> None:
    pixels = np.dstack([COLOUR[::-1, :, ::-1], np.zeros_like(RAMP)]).astype(np.uint8).tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, SIDE, SIDE, 1, 32, 3, len(pixels), 0, 0, 0, 0) + masks
    header = header.ljust(108, b"\0")
    data = b"BM" + struct.pack("<IHHI", 14 + 108 + len(pixels), 0, 0, 14 + 108) + header + pixels
    assert "transparent throughout" in refusal_of(data)


@pytest.mark.parametrize(
    ("marker", "bits", "said"),
    [(0xC1, 12, "a JPEG of 12 bits"), (0xC3, 16, "a lossless JPEG"), (0xF7, 8, "a JPEG-LS picture"),
     (0xC6, 8, "a hierarchical JPEG")],
)  # fmt: skip
def test_a_jpeg_of_another_kind_is_named_and_not_called_damaged(marker: int, bits: int, said: str) -> None:
    data = file(Image.fromarray(RAMP.astype(np.uint8)), "JPEG")
    at = data.index(b"\xff\xc0")
    data = data[: at + 1] + bytes((marker,)) + data[at + 2 : at + 4] + bytes((bits,)) + data[at + 5 :]
    assert said in refusal_of(data)
    assert unread_jpeg(marker, bits) == said
    assert unread_jpeg(0xC2, 8) is None
