"""JPEG files as they go on: the same pixels, nothing beside them, and of no more bytes than is said."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from prompt4trust.pictures import PictureLimits, decode_picture, prepare_picture
from prompt4trust.pictures.jpeg.coded import bare_jpeg, encode_jpeg
from tests.prompt4trust.pictures.files import Values

SECRET = b"Patient: Erika Mustermann"


LYING = Image.Exif()
LYING[0x0112] = 6


def texture(width: int = 64, height: int = 48, seed: int = 0) -> Image.Image:
    """A picture in colour that no power of two divides evenly, smooth with some noise as scanners have it."""
    x, y = np.meshgrid(np.linspace(0, 3, width), np.linspace(0, 2, height))
    smooth = np.stack([np.sin(x + y), np.cos(x * y), np.sin(x - y)], axis=-1) * 90 + 128
    noisy = smooth + np.random.default_rng(seed).normal(0, 4, smooth.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def jpeg(image: Image.Image, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


def shown(data: bytes) -> Values:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image)


def with_exif(data: bytes) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    return jpeg(texture(), exif=exif, comment=SECRET, xmp=SECRET, icc_profile=SECRET, dpi=(300, 300))


def with_a_thumbnail(data: bytes) -> bytes:
    thumbnail = b"JFIF\0\x01\x02\x01\x00\x48\x00\x48\x03\x03" + (SECRET + b"..")
    extension = b"JFXX\0\x10" + SECRET
    return data[:2] + segment(0xE0, thumbnail) + segment(0xE0, extension) + data[20:]


def with_bytes_behind(data: bytes) -> bytes:
    return data + SECRET + b"\xff\xd8\xff" + SECRET


def with_adobes_marker(data: bytes) -> bytes:
    return data[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01" + SECRET) + data[20:]


def with_a_second_picture(data: bytes) -> bytes:
    several = BytesIO()
    hidden = texture(seed=1)
    hidden.info["comment"] = SECRET
    texture().save(several, "MPO", save_all=True, append_images=[hidden], comment=SECRET)
    return several.getvalue()


def with_comments_between_scans(data: bytes) -> bytes:
    progressive = jpeg(texture(), progressive=True)
    second = progressive.index(b"\xff\xda", progressive.index(b"\xff\xda") + 2)
    return progressive[:second] + segment(0xFE, SECRET) + progressive[second:]


@pytest.mark.parametrize(
    "add",
    [with_exif, with_a_thumbnail, with_bytes_behind, with_adobes_marker, with_a_second_picture,
     with_comments_between_scans],
)  # fmt: skip
def test_nothing_but_the_coded_picture_goes_on(add: Callable[[bytes], bytes]) -> None:
    stored = add(jpeg(texture()))
    assert SECRET in stored
    prepared = prepare_picture(stored)
    assert prepared.media_type == "image/jpeg"
    assert b"Erika" not in prepared.file
    assert prepared.file.startswith(b"\xff\xd8\xff\xe0\x00\x10JFIF\0")
    assert prepared.file.endswith(b"\xff\xd9")
    assert prepared.file.count(b"\xff\xd8\xff") == 1
    assert np.array_equal(shown(prepared.file), shown(stored))


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(8, 70),
    height=st.integers(8, 70),
    mode=st.sampled_from(["L", "RGB"]),
    options=st.fixed_dictionaries(
        {
            "quality": st.integers(1, 100),
            "subsampling": st.integers(0, 2),
            "progressive": st.booleans(),
            "optimize": st.booleans(),
            "restart_marker_blocks": st.integers(0, 3),
        }
    ),
)
def test_a_bare_file_decodes_to_the_same_pixels(width: int, height: int, mode: str, options: dict[str, Any]) -> None:
    stored = jpeg(texture(width, height, seed=width).convert(mode), **options)
    bare = bare_jpeg(stored)
    assert bare is not None
    assert np.array_equal(shown(bare), shown(stored))
    assert bare_jpeg(bare) == bare
    assert len(bare) <= len(stored)


def test_what_is_not_plain_is_not_taken_as_it_is() -> None:
    plain = jpeg(texture())
    for name, data in {
        "other": b"\x89PNG\r\n\x1a\n",
        "cmyk": jpeg(texture().convert("CMYK")),
        "rgb": jpeg(texture(), keep_rgb=True),
        "adobe rgb": plain[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0") + plain[20:],
        "cut": plain[:-2],
        "cut in a header": plain[:100],
        "no scan": plain[: plain.index(b"\xff\xda")] + b"\xff\xd9",
        "arithmetic": plain.replace(b"\xff\xc0", b"\xff\xc9"),
        "twelve bits": plain.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
        "bytes between segments": plain[:20] + b"Patient" + plain[20:],
        "a segment too short": plain[:20] + b"\xff\xfe\x00\x01" + plain[20:],
        "a scan before its frame": plain[:20] + plain[plain.index(b"\xff\xda") :],
        "very many segments": plain[:20] + segment(0xFE, b"") * 300 + plain[20:],
    }.items():
        assert bare_jpeg(data) is None, name


def test_long_runs_of_one_byte_are_gone_through_once() -> None:
    # A pattern that begins anew at each byte of the run would take minutes.
    plain = jpeg(texture())
    start = plain.index(b"\xff\xda")
    assert bare_jpeg(plain[:start] + b"\xff" * 2_000_000 + b"\0") is None
    assert bare_jpeg(plain[: start + 14] + b"\xff" * 2_000_000 + b"\0") is None


@pytest.mark.parametrize("options", [{"keep_rgb": True}, {"exif": LYING}])
@pytest.mark.parametrize("quality", [20, 75, 95])
def test_another_jpeg_is_encoded_anew_in_at_most_twice_its_bytes(options: dict[str, Any], quality: int) -> None:
    stored = jpeg(texture(200, 150), quality=quality, **options)
    prepared = prepare_picture(stored)
    assert prepared.media_type == "image/jpeg"
    assert len(prepared.file) <= 2 * len(stored)
    turned = "exif" in options
    assert (prepared.width, prepared.height) == ((150, 200) if turned else (200, 150))
    expected = np.rot90(shown(stored), -1) if turned else shown(stored)
    assert np.abs(shown(prepared.file).astype(int) - expected).mean() < 4


def test_the_pixels_are_those_of_the_file_that_goes_on() -> None:
    for image in (texture(300, 200), texture(300, 200).convert("L"), texture(300, 200).convert("L").convert("RGB")):
        for limits in (PictureLimits(), PictureLimits(max_side=100)):
            decoded = decode_picture(jpeg(image), limits)
            assert decoded.jpeg is not None
            with Image.open(BytesIO(decoded.jpeg)) as own:
                assert np.array_equal(np.asarray(decoded.pixels.convert("RGB")), np.asarray(own.convert("RGB")))
            again = decode_picture(decoded.jpeg, limits)
            assert again.jpeg == decoded.jpeg
            assert again.pixels.tobytes() == decoded.pixels.tobytes()


def test_grey_that_was_stored_as_colour_is_known_in_every_part() -> None:
    grey = texture(64, 300).convert("L").convert("RGB")
    assert decode_picture(jpeg(grey), PictureLimits()).pixels.mode == "L"
    grey.paste((200, 30, 30), (0, 280, 64, 300))
    assert decode_picture(jpeg(grey), PictureLimits()).pixels.mode == "RGB"


def test_large_pictures_are_near_what_exact_scaling_gives() -> None:
    limits = PictureLimits(max_side=200)
    for width, height in ((500, 401), (401, 200), (1700, 90)):
        image = texture(width, height).convert("L")
        stored = jpeg(image, quality=95)
        prepared = prepare_picture(stored, limits)
        size = (prepared.width, prepared.height)
        assert size == (200, round(height * 200 / width))
        exact = image.resize(size, Image.Resampling.LANCZOS)
        assert np.abs(shown(prepared.file).astype(int) - np.asarray(exact)).mean() < 1.5


def test_lower_qualities_are_tried_until_the_bytes_suffice() -> None:
    image = texture(200, 150)
    sizes = [len(encode_jpeg(image, most)) for most in (100_000, 20_000, 10_000, 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] <= 20_000
    assert sizes[2] <= 10_000
