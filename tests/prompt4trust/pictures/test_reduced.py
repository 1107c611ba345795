"""Reduced pictures, of pixels and of JPEGs."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, ReducedPicture, decode_picture


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    coarse = np.random.default_rng(width).integers(0, 256, (height // 16 + 2, width // 16 + 2, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", **{"quality": 92, **options})
    return file.getvalue()


@pytest.mark.parametrize(
    ("size", "factor"),
    [((100, 900), 1), ((223, 4000), 1), ((224, 224), 2), ((447, 500), 2), ((448, 500), 4), ((896, 897), 8),
     ((1024, 1024), 8), ((40, 2000), 1)],
)  # fmt: skip
def test_the_shorter_side_keeps_112_pixels_or_what_it_has(size: tuple[int, int], factor: int) -> None:
    small = (-(-size[0] // factor), -(-size[1] // factor))
    for found in (ReducedPicture.of(noise(*size)), ReducedPicture.of_jpeg(jpeg(noise(*size)))):
        assert (found.factor, found.size, found.pixels.size) == (factor, size, small)


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"subsampling": 2}, {"progressive": True}])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(905, 1022), (300, 227), (451, 460), (90, 70)])
def test_a_jpegs_pixels_are_means_of_the_squares(size: tuple[int, int], mode: str, options: dict[str, Any]) -> None:
    file = jpeg(noise(*size, mode=mode), **options)
    found = ReducedPicture.of_jpeg(file)
    with Image.open(BytesIO(file)) as whole:
        exact = ReducedPicture.of(whole)
    assert found.pixels.mode == exact.pixels.mode == mode
    # The thumbnail, since the last row and column of the reduced picture hold what fills the file's last blocks.
    apart = np.abs(np.asarray(found.thumbnail(64, "RGB"), int) - np.asarray(exact.thumbnail(64, "RGB"), int))
    assert apart.mean() < 1
    assert apart.max() < 16


def test_what_fills_the_last_blocks_is_left_out() -> None:
    """A picture of 905 pixels ends within the 114th square: a thumbnail of all 114 would be moved by 7 pixels."""
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 905), (905, 1)).astype(np.uint8))
    for found in (ReducedPicture.of(ramp), ReducedPicture.of_jpeg(jpeg(ramp))):
        seen = np.asarray(found.thumbnail(64, "L"), float).mean(axis=0)
        assert np.abs(seen - (np.arange(64) + 0.5) / 64 * 255)[2:-2].max() < 1.5


def test_grey_stored_as_colour_is_grey_and_a_mark_in_colour_is_not() -> None:
    grey = noise(905, 1022, "L").convert("RGB")
    assert ReducedPicture.of(grey).pixels.mode == "L"
    assert ReducedPicture.of_jpeg(jpeg(grey)).pixels.mode == "L"
    for side in (2, 3, 8):
        grey.paste((255, 0, 0), (500, 500, 500 + side, 500 + side))
        assert ReducedPicture.of(grey).pixels.mode == "RGB"
        assert ReducedPicture.of_jpeg(jpeg(grey)).pixels.mode == "RGB"


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 4}])
def test_a_damaged_jpeg_is_refused_by_its_reduced_picture_as_by_all_its_pixels(options: dict[str, Any]) -> None:
    """Bytes changed, left out, put in or cut off: 300 files each, of which some hundred are refused."""
    rng, limits, refused = np.random.default_rng(3), PictureLimits(), 0
    plain = jpeg(noise(240, 260), quality=60, **options)
    for _ in range(300):
        data, at = bytearray(plain), int(rng.integers(2, len(plain)))
        match int(rng.integers(4)):
            case 0:
                data[at : at + 4] = rng.bytes(4)
            case 1:
                del data[at : at + int(rng.integers(1, 200))]
            case 2:
                data[at:at] = rng.bytes(8)
            case _:
                del data[at:]
        told = []
        for all_pixels in (True, False):
            try:
                decode_picture(bytes(data), limits, all_pixels=all_pixels)
                told.append("")
            except PictureError as error:
                told.append(error.fault)
        assert told[0] == told[1]
        refused += bool(told[0])
    assert 50 < refused < 290
