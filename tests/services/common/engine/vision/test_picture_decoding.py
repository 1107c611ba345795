from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from services.common.engine.errors import InvalidRequestError
from services.common.engine.vision.picture_decoding import EncodedPictureLimits, decode_request_picture
from tests.services.common.engine.tiny import data_url, picture, png

LIMITS = EncodedPictureLimits(max_bytes=200_000, max_pixels=200 * 200)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_kinds_come_out_as_they_went_in(kind: str) -> None:
    image = picture(1)
    options = {"lossless": True} if kind == "WEBP" else {}
    decoded = decode_request_picture(data_url(encoded(image, kind, **options), f"image/{kind.lower()}"), LIMITS)
    assert decoded.mode == "RGB"
    assert np.array_equal(np.asarray(decoded), np.asarray(image.convert("RGB")))


def test_a_file_is_taken_as_well_as_a_data_url() -> None:
    assert (
        decode_request_picture(png(1), LIMITS).tobytes() == decode_request_picture(data_url(png(1)), LIMITS).tobytes()
    )


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    values = np.tile(np.array([0, 257 * 100, 65535], dtype=np.uint16), (9, 3))
    decoded = np.asarray(decode_request_picture(encoded(Image.fromarray(values)), LIMITS))
    assert decoded[0, :3, 0].tolist() == [0, 100, 255]


def test_transparency_is_laid_on_black_as_in_the_gateway() -> None:
    decoded = decode_request_picture(encoded(Image.new("RGBA", (9, 9), (255, 255, 255, 51))), LIMITS)
    assert decoded.getpixel((0, 0)) == (51, 51, 51)


def test_a_turned_photograph_is_set_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_request_picture(encoded(picture(1, 84, 56), "JPEG", exif=exif), LIMITS).size == (56, 84)


@pytest.mark.parametrize(
    "source",
    [
        "data:image/png;base64,%%%",
        "data:image/png;base64,",
        "data:image/png,abc",
        "data:text/html;base64,aGk=",
        "http://example.org/a.png",
        "file:///etc/passwd",
        "",
        data_url(b"GIF89a"),
        data_url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        data_url(png(1)[:200]),
        data_url(base64.b64encode(png(1))),
        b"",
    ],
)
def test_what_is_no_image_is_refused_without_a_hint_of_internals(source: str | bytes) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decode_request_picture(source, LIMITS)
    assert caught.value.param == "messages"
    assert "Traceback" not in str(caught.value)
    assert "0x" not in str(caught.value)


def test_size_is_checked_before_pixels_are_made() -> None:
    bomb = encoded(Image.new("1", (20_000, 9_500)))
    assert len(bomb) < LIMITS.max_bytes
    with pytest.raises(InvalidRequestError, match="pixels"):
        decode_request_picture(bomb, LIMITS)
    with pytest.raises(InvalidRequestError, match="300 x 200 pixels"):
        decode_request_picture(png(1, 300, 200), LIMITS)
    with pytest.raises(InvalidRequestError, match="bytes"):
        decode_request_picture(b"x" * 200_001, LIMITS)
