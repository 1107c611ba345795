"""Names of formats that are not read, of files that other software wrote and of beginnings that standards give."""

from __future__ import annotations

import gzip
import json
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_picture
from prompt4trust.pictures.unread.formats import unread_format


def saved(form: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (16, 16), "white").save(buffer, form)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.writestr("picture.txt", "nothing")
    return buffer.getvalue()


def array() -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.zeros((2, 2)))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("GIF", "a GIF picture"),
        ("AVIF", "an AVIF picture"),
        ("JPEG2000", "a JPEG 2000 picture"),
        ("PPM", "a netpbm picture"),
        ("ICO", "an icon"),
        ("PDF", "a PDF document"),
        ("EPS", "a PostScript document"),
    ],
)
def test_files_that_pillow_writes(form: str, name: str) -> None:
    assert unread_format(saved(form)) == name


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "a video"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "an AVIF picture"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0crx isom", "a video"),
        (b"\0\0\0\x14ftypM4A \0\0\0\0M4A heic", None),
        (b"P1 lungs are clear", None),
        (b"bzhang notes", None),
        (b"P5\n# made by hand\n3 3\n255\n", "a netpbm picture"),
        (b"\xff\x0a\x7a\x1f", "a JPEG XL picture"),
        (b"\x5c\1\0\0" + bytes(340) + b"n+1\0", "a NIfTI volume"),
        (b"NRRD0004\ntype: short\n", "an NRRD volume"),
        (b"ObjectType = Image\nNDims = 3\n", "a MetaImage volume"),
        (array(), "a NumPy array"),
        (zipped(), "a ZIP archive"),
        (gzip.compress(b"nothing", mtime=0), "a compressed file"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"\n<!DOCTYPE html><title>Sign in</title>", "a web page"),
        (json.dumps({"detail": "expired"}).encode(), "JSON text"),
        (b"data:image/png;base64,iVBORw0KGgo", "base64 text"),
        (b"This is a text.", None),
        (b"\0\1\2\3", None),
        (b"", None),
    ],
)
def test_beginnings_that_standards_give(data: bytes, name: str | None) -> None:
    assert unread_format(data) == name


def test_a_refusal_names_what_came_and_what_is_read() -> None:
    with pytest.raises(PictureError, match=r"^The file is a GIF picture: send PNG, JPEG, WebP, TIFF, BMP or DICOM\.$"):
        decode_picture(saved("GIF"), PictureLimits())
    with pytest.raises(PictureError, match=r"of no known format: send PNG"):
        decode_picture(b"\0\1\2\3" * 100, PictureLimits())


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_files_that_are_read_have_no_such_name(form: str) -> None:
    assert unread_format(saved(form)) is None


BEGINNINGS = [saved("GIF"), saved("AVIF"), saved("PDF"), zipped(), array(), b"<html>", b'{"a": 1}', b""]


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=2048))
def test_what_stands_behind_the_first_kilobyte_changes_nothing(beginning: bytes, rest: bytes) -> None:
    data = (beginning + rest)[:1024].ljust(1024)
    assert unread_format(data + b"GIF89a" + rest) == unread_format(data)


@given(st.sampled_from(BEGINNINGS[:5]), st.binary(max_size=64))
def test_a_known_beginning_is_known_whatever_follows(beginning: bytes, rest: bytes) -> None:
    assert unread_format(beginning + rest) == unread_format(beginning) is not None
