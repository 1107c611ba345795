"""Picture files: as the gateway hands pictures on, and as data: URLs."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prompt4trust.errors import TransportError, UnreadablePictureError
from prompt4trust.picture_files import data_url, read_picture
from prompt4trust.pictures import prepare_picture


@pytest.mark.parametrize(
    ("mode", "pixel", "expected_mode", "expected"),
    [
        ("L", 40, "L", 40),
        ("1", 255, "L", 255),
        ("RGB", (1, 2, 3), "RGB", (1, 2, 3)),
        ("RGBA", (255, 255, 255, 51), "L", 51),
        ("LA", (200, 255), "L", 200),
        ("P", 0, "L", 0),
    ],
)
def test_pictures_are_read_as_the_gateway_hands_them_on(
    tmp_path: Path, mode: str, pixel: object, expected_mode: str, expected: object
) -> None:
    Image.new(mode, (9, 10), pixel).save(tmp_path / "picture.png")  # type: ignore[arg-type]
    found = read_picture(tmp_path / "picture.png")
    assert (found.mode, found.size, found.getpixel((3, 3))) == (expected_mode, (9, 10), expected)


def test_deep_grey_is_windowed_and_turned_pictures_stand_upright(tmp_path: Path) -> None:
    deep = np.repeat(np.array([[1000, 1500, 2000]], dtype=np.uint16), 9, axis=0).repeat(3, axis=1)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.asarray(read_picture(tmp_path / "deep.png"))[0, ::3].tolist() == [0, 128, 255]
    lying = Image.fromarray(np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12))
    turned = lying.getexif()
    turned[0x0112] = 6
    lying.save(tmp_path / "turned.png", exif=turned)
    assert read_picture(tmp_path / "turned.png").size == (10, 12)


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    for content in (b"no picture", b"\x89PNG\r\n\x1a\n cut short"):
        (tmp_path / "bad.png").write_bytes(content)
        with pytest.raises(UnreadablePictureError, match=r"bad\.png cannot be read"):
            read_picture(tmp_path / "bad.png")
    (tmp_path / "a.gif").write_bytes(b"GIF89a\x10\x00")
    with pytest.raises(UnreadablePictureError, match=r"a\.gif cannot be read \(unsupported-image\): The file is a GIF"):
        read_picture(tmp_path / "a.gif")


@pytest.mark.parametrize(("kind", "mode"), [("TIFF", "I;16"), ("BMP", "RGB"), ("WEBP", "RGBA"), ("TIFF", "CMYK")])
def test_other_picture_kinds_become_png(tmp_path: Path, kind: str, mode: str) -> None:
    path = tmp_path / "picture"
    Image.new(mode, (30, 20), "white" if mode == "RGBA" else 0).save(path, format=kind)
    head, _, body = data_url(path).partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as picture:
        assert (picture.size, picture.mode in {"L", "RGB"}) == ((30, 20), True)


def test_sixteen_bits_keep_their_contrast(tmp_path: Path) -> None:
    picture = Image.new("I;16", (10, 10))
    picture.putpixel((1, 0), 40_000)
    picture.save(tmp_path / "x.tiff")
    with Image.open(io.BytesIO(base64.b64decode(data_url(tmp_path / "x.tiff").partition(",")[2]))) as read:
        assert [read.getpixel((0, 0)), read.getpixel((1, 0))] == [0, 255]


def test_jpeg_goes_on_as_the_gateway_would_send_it_and_text_does_not(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (9, 90, 200)).save(tmp_path / "x.png", format="JPEG")
    assert data_url(tmp_path / "x.png") == prepare_picture((tmp_path / "x.png").read_bytes()).data_url
    (tmp_path / "t.png").write_text("no picture")
    with pytest.raises(TransportError, match=r"image: t\.png cannot be read"):
        data_url(tmp_path / "t.png")
