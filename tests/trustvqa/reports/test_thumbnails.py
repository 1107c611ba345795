"""Pictures for a page: small, whole, and without what a file says beside its pixels."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.prompt4trust.pictures.dicom.objects import ct, written
from trustvqa.reports.thumbnails import MOST_BYTES, thumbnail


def opened(url: str | None) -> Image.Image:
    assert url is not None
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def test_a_large_noisy_picture_becomes_small_enough(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    url = thumbnail(tmp_path / "noise.png")
    assert url is not None
    assert url.startswith("data:image/jpeg;base64,")
    assert len(base64.b64decode(url.partition(",")[2])) <= MOST_BYTES
    assert opened(url).size == (320, 240)


def test_a_small_picture_stays_as_it_is(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(pixels).save(tmp_path / "small.png")
    shown = opened(thumbnail(tmp_path / "small.png"))
    assert shown.format == "PNG"
    assert np.array_equal(np.asarray(shown), pixels)


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_what_a_file_says_beside_its_pixels_stays_behind(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe, born 1950"
    # Noise comes out as JPEG, whose comment Pillow would copy; an even grey as PNG.
    pixels = np.random.default_rng(0).integers(0, 256 if kind == "jpeg" else 1, (300, 300, 3), dtype=np.uint8)
    path = tmp_path / "named.jpg"
    Image.fromarray(pixels).save(path, exif=exif, comment=b"Jane Doe", icc_profile=b"Jane Doe")
    assert path.read_bytes().count(b"Jane") == 3
    url = thumbnail(path)
    shown = opened(url)
    assert shown.format == kind.upper()
    assert dict(shown.getexif()) == {}
    assert b"Jane" not in base64.b64decode((url or "").partition(",")[2])


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "I;16", "F"])
def test_every_kind_of_pixel_is_shown(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "picture.tiff"
    Image.new("L", (20, 10), 128).convert("I" if mode == "I;16" else mode).save(path)
    assert opened(thumbnail(path)).size == (20, 10)


def test_what_is_no_picture_is_none(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("<svg onload=alert(1)>")
    assert thumbnail(tmp_path / "text.png") is None
    assert thumbnail(tmp_path / "gone.png") is None
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n1234")
    assert thumbnail(tmp_path / "cut.png") is None


def test_a_dicom_object_is_shown_unless_its_pixels_may_hold_text(tmp_path: Path) -> None:
    (tmp_path / "ct.dcm").write_bytes(written(ct()))
    assert opened(thumbnail(tmp_path / "ct.dcm")).size == (128, 128)
    (tmp_path / "us.dcm").write_bytes(written(ct(Modality="US")))
    assert thumbnail(tmp_path / "us.dcm") is None
