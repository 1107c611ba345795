"""Deep grey for a viewer: the file's values at the size that models see, upright."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from prompt4trust.pictures import DeepGrey, PictureLimits, decode_picture, read_deep_grey


def read(values: np.ndarray, form: str = "TIFF", **options: object) -> DeepGrey | None:
    file = BytesIO()
    Image.fromarray(values).save(file, form, **options)
    return read_deep_grey(file.getvalue(), decode_picture(file.getvalue(), PictureLimits(max_side=64)))


def in_file_units(grey: DeepGrey) -> np.ndarray:
    return grey.low + grey.values / 65_535 * (grey.high - grey.low)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_values_are_those_of_the_file(form: str) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (40, 60)).astype(np.uint16)
    grey = read(values, form)
    assert grey is not None
    assert (grey.low, grey.high, grey.is_inverted) == (values.min(), values.max(), False)
    np.testing.assert_allclose(in_file_units(grey), values, atol=0.04)


def test_a_large_picture_is_averaged_to_what_models_see() -> None:
    values = np.random.default_rng(1).integers(0, 4096, (256, 128)).astype(np.uint16)
    grey = read(values)
    assert grey is not None
    assert grey.values.shape == (64, 32)
    wanted = values.reshape(64, 4, 32, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(in_file_units(grey), wanted, atol=0.04)


def test_it_stands_upright_and_says_where_large_is_dark() -> None:
    values = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60)
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = read(values, "PNG", exif=exif)
    assert grey is not None
    np.testing.assert_allclose(in_file_units(grey), np.rot90(values, -1), atol=0.04)
    inverted = read(values, tiffinfo={262: 0})
    assert inverted is not None
    assert inverted.is_inverted


def test_what_is_no_number_becomes_the_least_and_infinity_the_greatest() -> None:
    values = np.linspace(-1, 1, 400, dtype=np.float32).reshape(20, 20)
    values[0, :3] = np.nan, np.inf, -np.inf
    grey = read(values)
    assert grey is not None
    assert grey.high == 1.0
    assert grey.values[0, :3].tolist() == [0, 65_535, 0]


def test_nothing_is_deep_in_eight_bits_and_one_value_is_no_range() -> None:
    assert read(np.zeros((20, 20), dtype=np.uint8), "PNG") is None
    flat = read(np.full((20, 20), 7, dtype=np.uint16))
    assert flat is not None
    assert (flat.low, flat.high) == (7.0, 7.0)
    assert not flat.values.any()
