"""Pictures: what they become against hand-made expectations, and that no bytes do harm."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, PreparedPicture, prepare_picture
from tests.prompt4trust.pictures.files import tiff
from tests.services.gateway.conftest import picture

LIMITS = PictureLimits()


def encode(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def pixels(prepared: PreparedPicture) -> np.ndarray[Any, Any]:
    with Image.open(BytesIO(prepared.file)) as image:
        assert image.format == ("JPEG" if prepared.origin.format == "JPEG" else "PNG")
        assert image.mode in ("L", "RGB")
        assert image.size == (prepared.width, prepared.height)
        return np.asarray(image)


def rgb(width: int = 24, height: int = 16) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "WEBP"])
def test_lossless_formats_keep_every_pixel(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    prepared = prepare_picture(encode(rgb(), form, **options), LIMITS)
    assert prepared.origin.format == form
    assert np.array_equal(pixels(prepared), np.asarray(rgb()))


def test_jpeg_keeps_what_jpeg_keeps() -> None:
    difference = pixels(prepare_picture(encode(rgb(), "JPEG", quality=95), LIMITS)).astype(int) - np.asarray(rgb())
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_grey_stays_grey_and_one_bit_becomes_black_and_white(form: str) -> None:
    grey = rgb().convert("L")
    assert np.array_equal(pixels(prepare_picture(encode(grey, form), LIMITS)), np.asarray(grey))
    bilevel = grey.convert("1")
    assert np.array_equal(pixels(prepare_picture(encode(bilevel, form), LIMITS)), np.asarray(bilevel) * np.uint8(255))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_windowed_from_least_to_greatest(form: str) -> None:
    # Twelve-bit values in sixteen: taking the upper byte would leave a nearly black picture.
    values = (1000 + np.arange(20 * 30).reshape(20, 30) * 5).astype(np.uint16)
    got = pixels(prepare_picture(encode(Image.fromarray(values), form), LIMITS))
    expected = np.rint((values - 1000.0) / (values.max() - 1000.0) * 255)
    assert np.array_equal(got, expected)


def test_a_flat_deep_picture_becomes_black() -> None:
    for flat in (np.full((20, 20), 700, np.uint16), np.full((20, 20), 700, np.int32), np.full((20, 20), 7, np.float32)):
        assert not pixels(prepare_picture(encode(Image.fromarray(flat), "TIFF"), LIMITS)).any()


def test_floating_point_ignores_what_is_no_number() -> None:
    values = np.linspace(-3, 5, 400, dtype=np.float32).reshape(20, 20)
    values[0, 0], values[0, 1], values[0, 2] = np.nan, np.inf, -np.inf
    got = pixels(prepare_picture(encode(Image.fromarray(values), "TIFF"), LIMITS))
    low, high = values[0, 3], values[-1, -1]
    expected = np.rint((values.astype(float) - low) / (float(high) - low) * 255)
    assert got[0, 0] == 0
    assert got[0, 1] == 255
    assert got[0, 2] == 0
    assert np.abs(got.ravel()[3:] - expected.ravel()[3:]).max() <= 1


def test_sixteen_bit_tiff_with_white_as_zero_is_turned_round() -> None:
    values = np.arange(20 * 20, dtype=np.uint16).reshape(20, 20) * 100
    plain = pixels(prepare_picture(tiff(values, 1), LIMITS))
    inverted = pixels(prepare_picture(tiff(values, 0), LIMITS))
    assert plain[0, 0] == 0
    assert plain[-1, -1] == 255
    assert np.array_equal(inverted, 255 - plain)


def test_a_tiff_that_claims_enormous_tiles_is_refused_before_they_are_made() -> None:
    values = np.zeros((20, 20), dtype=np.uint8)
    with pytest.raises(PictureError) as caught:
        prepare_picture(tiff(values, 1, (322, 4, 1, 1 << 15), (323, 4, 1, 1 << 15)), LIMITS)
    assert caught.value.fault == "image-too-large"


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_laid_on_black(form: str) -> None:
    layered = rgb().convert("RGBA")
    alpha = np.zeros((16, 24), dtype=np.uint8)
    alpha[:, 8:16], alpha[:, 16:] = 128, 255
    layered.putalpha(Image.fromarray(alpha))
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    got = pixels(prepare_picture(encode(layered, form, **options), LIMITS))
    expected = np.asarray(rgb()).astype(float) * alpha[..., None] / 255
    assert np.abs(got - expected).max() <= 1
    assert not got[:, :8].any()


def test_grey_with_transparency() -> None:
    grey = rgb().convert("LA")
    alpha = np.zeros((16, 24), dtype=np.uint8)
    alpha[0] = 255
    grey.putalpha(Image.fromarray(alpha))
    assert not pixels(prepare_picture(encode(grey), LIMITS))[1:].any()
    keyed = Image.fromarray(np.tile(np.arange(16, dtype=np.uint8), (16, 1)) + 10)
    got = pixels(prepare_picture(encode(keyed, transparency=12), LIMITS))
    assert not got[:, 2].any()
    assert np.array_equal(got[:, 3], np.full(16, 13))


def test_palettes_become_their_colours() -> None:
    indexed = rgb().quantize(16)
    expected = np.asarray(indexed.convert("RGB"))
    for form in ("PNG", "BMP", "TIFF"):
        assert np.array_equal(pixels(prepare_picture(encode(indexed, form), LIMITS)), expected)
    first = np.asarray(indexed)[0, 0]
    see_through = encode(indexed, "PNG", transparency=bytes(255 * (place == first) for place in range(16)))
    is_seen = np.asarray(indexed) == first
    assert np.array_equal(pixels(prepare_picture(see_through, LIMITS)), np.where(is_seen[..., None], expected, 0))


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(form: str) -> None:
    ink = Image.new("CMYK", (20, 20), (0, 255, 255, 0))  # no cyan, all magenta and yellow: red
    got = pixels(prepare_picture(encode(ink, form), LIMITS)).reshape(-1, 3).mean(axis=0)
    assert np.abs(got - (255, 0, 0)).max() < 12


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if form == "WEBP" else {"quality": 100} if form == "JPEG" else {}
    stored = encode(rgb().convert("L"), form, exif=exif, **options)
    with Image.open(BytesIO(stored)) as image:
        image.load()
        expected = np.asarray(ImageOps.exif_transpose(image).convert("L"))
    prepared = prepare_picture(stored, LIMITS)
    assert (prepared.height > prepared.width) == (orientation >= 5)
    got = pixels(prepared)
    assert np.abs((got if got.ndim == 2 else got[..., 0]).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_is_ignored(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert prepare_picture(encode(rgb(), exif=exif), LIMITS).width == 24


def test_a_phones_jpeg_with_a_second_picture_is_read_as_its_first() -> None:
    first = rgb(64, 48)
    several = encode(first, "MPO", save_all=True, append_images=[Image.new("RGB", (32, 24))], quality=95)
    prepared = prepare_picture(several, LIMITS, media_type="image/jpeg", filename="IMG_1.JPG")
    assert prepared.origin.format == "JPEG"
    assert np.abs(pixels(prepared).astype(int) - np.asarray(first)).mean() < 4


def test_nothing_but_pixels_goes_on() -> None:
    exif = Image.Exif()
    exif[0x010E] = "Patient: Erika Mustermann"
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "Patient: Erika Mustermann")
    stored = encode(rgb(), pnginfo=notes, exif=exif, icc_profile=b"Patient" * 9, dpi=(300, 300)) + b"trailing Patient"
    prepared = prepare_picture(stored, LIMITS)
    chunks = []
    at = 8
    while at < len(prepared.file):
        (length,) = struct.unpack_from(">I", prepared.file, at)
        chunks.append(prepared.file[at + 4 : at + 8])
        at += 12 + length
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}
    assert b"Patient" not in prepared.file


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_large_pictures_are_scaled_down_and_keep_their_shape(form: str) -> None:
    limits = PictureLimits(max_side=100)
    prepared = prepare_picture(encode(rgb(700, 350), form), limits)
    assert (prepared.width, prepared.height) == (100, 50)
    small = np.asarray(rgb(700, 350).resize((100, 50), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(pixels(prepared) - small).mean() < 3
    assert prepare_picture(encode(rgb(90, 50), form), limits).width == 90


@pytest.mark.parametrize(
    ("size", "fault"),
    [((8, 8), None), ((7, 8), "image-too-small"), ((400, 8), None), ((401, 8), "image-too-narrow"),
     ((100, 100), None), ((101, 100), "image-too-large")],
)  # fmt: skip
def test_the_limits_are_where_they_are_said_to_be(size: tuple[int, int], fault: str | None) -> None:
    limits = PictureLimits(max_pixels=10_000)
    if fault is None:
        assert (prepare_picture(picture(size=size), limits)).width == size[0]
        return
    with pytest.raises(PictureError) as caught:
        prepare_picture(picture(size=size), limits)
    assert caught.value.fault == fault


SEEDS = [
    *(picture(mode, (20, 16), form) for form in ("PNG", "TIFF") for mode in ("1", "L", "P", "RGB", "RGBA", "I;16")),
    *(picture(mode, (20, 16), "JPEG") for mode in ("L", "RGB", "CMYK")),
    *(picture(mode, (20, 16), "BMP") for mode in ("1", "L", "P", "RGB")),
    *(picture(mode, (20, 16), "WEBP") for mode in ("RGB", "RGBA")),
    picture("RGB", (20, 16), "WEBP", lossless=True),
    *(picture("L", (20, 16), "TIFF", compression=how) for how in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")),
    picture("1", (20, 16), "TIFF", compression="group4"),
    picture("RGB", (20, 16), "JPEG", progressive=True),
]


@st.composite
def spoilt_pictures(draw: st.DrawFn) -> bytes:
    """Real pictures with bytes changed, cut out, doubled or cut off: near enough to reach deep into the decoders."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        # Headers, where sizes and offsets lie, are hit as often as all the rest.
        at = draw(st.integers(0, min(80, len(data) - 1)) | st.integers(0, len(data) - 1))
        match draw(st.sampled_from(["set", "word", "cut", "double", "end"])):
            case "set":
                data[at] = draw(st.integers(0, 255))
            case "word":
                data[at : at + 4] = draw(
                    st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\1\0"])
                )
            case "cut":
                del data[at : at + draw(st.integers(1, 30))]
            case "double":
                data[at:at] = data[at : at + draw(st.integers(1, 30))]
            case "end":
                del data[at:]
        if not data:
            break
    return bytes(data)


# As in production, where a decoder's warning is a line in the log; elsewhere in the tests it is an error.
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400) | spoilt_pictures())
def test_no_bytes_raise_anything_but_the_modules_own_error(data: bytes) -> None:
    limits = PictureLimits(max_pixels=1_000_000, max_side=64)
    try:
        prepared = prepare_picture(data, limits)
    except PictureError:
        return
    assert max(pixels(prepared).shape[:2]) <= 64
