"""The cost of a picture, read from its header."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.pictures.attacks import (
    chunked_png,
    five_attacks,
    huge_tiles,
    huge_webp,
    junk_jpeg,
    progressive_jpeg,
    tiff_of,
)
from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_picture, headers


def fault_of(data: bytes, limits: PictureLimits = PictureLimits()) -> str:  # noqa: B008 - frozen
    with pytest.raises(PictureError) as refused:
        decode_picture(data, limits)
    return refused.value.fault


@pytest.mark.parametrize("name", five_attacks())
def test_attacks_are_refused_before_a_decoder_sees_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _, fault = five_attacks()[name]

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a decoder was asked")

    monkeypatch.setattr(Image, "open", never)
    assert fault_of(data) == fault


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "data",
    [huge_webp(64), progressive_jpeg(64, 64, 8), chunked_png(100), junk_jpeg(100)],
    ids=["webp", "jpeg", "png", "junk"],
)
def test_the_same_files_on_a_small_scale_are_pictures(data: bytes) -> None:
    assert decode_picture(data, PictureLimits()).pixels.size == (64, 64)


def test_further_files_of_the_kind() -> None:
    assert fault_of(junk_jpeg(10_000_000)) == "damaged-image"
    assert fault_of(b"\xff\xd8" + b"\xff\xfe\0\2" * 100_000) == "image-too-complex"
    webp = huge_webp(64)
    assert fault_of(webp[:12] + b"JUNK\0\0\0\0" * 100_000 + webp[12:]) == "image-too-complex"
    animated = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + b"\x3f\0\0" * 2
    assert fault_of(animated) == "animated-image"
    assert fault_of(huge_webp(9000)) == "image-too-large"
    plain = {256: (4, 1, 64), 257: (4, 1, 64), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
    assert fault_of(tiff_of({**plain, 273: (4, 4_000_000, 8)}, bytes(16_000_000))) == "image-too-complex"
    assert fault_of(tiff_of({**plain, 700: (7, 3_000_000, 8), 701: (7, 3_000_000, 8)})) == "image-too-complex"
    assert fault_of(tiff_of({**plain, **{1000 + tag: (3, 1, 0) for tag in range(1000)}})) == "image-too-complex"


@pytest.mark.parametrize("cut", range(2, 60))
@pytest.mark.parametrize("make", [huge_webp, huge_tiles, lambda: chunked_png(1), lambda: progressive_jpeg(64, 64, 1)])
def test_headers_cut_short_are_left_to_decoders(make: Callable[[], bytes], cut: int) -> None:
    with contextlib.suppress(PictureError):  # as far as the sizes are there
        headers.check_structure(make()[:cut], PictureLimits())


def test_values_of_tiff_tags_are_read_in_both_orders_and_from_afar() -> None:
    afar = {256: (4, 1, 64), 257: (4, 1, 64), 258: (3, 3, 8 + 2 + 12 * 6 + 4), 277: (3, 1, 3)}
    afar |= {322: (4, 1, 9000), 323: (4, 1, 9000)}
    for bits, fault in ((16, True), (1, False)):
        data = tiff_of(afar, struct.pack("<3H", bits, bits, bits))
        if fault:
            with pytest.raises(PictureError):
                headers.check_structure(data, PictureLimits(max_memory=400_000_000))
        else:
            headers.check_structure(data, PictureLimits(max_memory=400_000_000))
    big = b"MM\0*" + struct.pack(">IH", 8, 2) + b"".join(struct.pack(">HHII", tag, 4, 1, 300_000) for tag in (322, 323))
    with pytest.raises(PictureError):
        headers.check_structure(big, PictureLimits())


@pytest.mark.parametrize(
    ("mode", "form", "options"),
    [
        ("RGB", "PNG", {}),
        ("I;16", "PNG", {}),
        ("RGB", "JPEG", {}),
        ("RGB", "JPEG", {"progressive": True}),
    ],
)
def test_large_pictures_of_the_clinic_are_within_the_budget(mode: str, form: str, options: dict[str, Any]) -> None:
    """40 million pixels; of a mammogram's 20 million of 16 bits there is room for three."""
    buffer = BytesIO()
    Image.new(mode, (64, 64)).save(buffer, form, **options)
    with Image.open(BytesIO(buffer.getvalue())) as image:
        image._size = (8000, 5000)
        assert headers.memory_needed(image, buffer.getvalue(), (1024, 640)) < PictureLimits().max_memory


def test_a_mammogram_is_read() -> None:
    rows = np.linspace(0, 4095, 5000, dtype=np.uint16)[:, None]
    buffer = BytesIO()
    Image.fromarray(np.broadcast_to(rows, (5000, 4000))).save(buffer, "TIFF", compression="packbits")
    decoded = decode_picture(buffer.getvalue(), PictureLimits())
    assert decoded.pixels.size == (819, 1024)
    assert decoded.origin.window is not None
