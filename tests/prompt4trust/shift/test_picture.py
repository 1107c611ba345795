"""The description of pictures in numbers."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from prompt4trust.pictures import PictureLimits, ReducedPicture, decode_picture
from prompt4trust.shift.picture import TOLERANCE, WIDTH, _quantiles, describe_picture, tolerances
from tests.prompt4trust.shift.questions import picture


def described(shown: Image.Image) -> np.ndarray:
    return describe_picture(ReducedPicture.of(shown))


def group(numbers: np.ndarray, name: str) -> np.ndarray:
    names = list(TOLERANCE)
    start = sum(TOLERANCE[each][0] for each in names[: names.index(name)])
    return numbers[start : start + TOLERANCE[name][0]]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["L", "RGB"]), st.integers(1, 300), st.integers(1, 300), st.integers(0, 255), st.booleans())
def test_any_picture_has_finite_numbers(mode: str, width: int, height: int, grey: int, noisy: bool) -> None:
    shape = (height, width) if mode == "L" else (height, width, 3)
    pixels = np.random.default_rng(grey).integers(0, 256, shape) if noisy else np.full(shape, grey)
    found = described(Image.fromarray(pixels.astype(np.uint8)))
    assert found.shape == (WIDTH,) == tolerances().shape
    assert np.isfinite(found).all()
    assert group(found, "shape")[0] == pytest.approx(np.log(width / height))


def test_each_group_sees_what_it_is_named_after() -> None:
    ramp = np.tile(np.linspace(0, 255, 64), (64, 1)).astype(np.uint8)
    found = described(Image.fromarray(ramp))
    assert group(found, "layout").reshape(4, 4)[:, 0] == pytest.approx(ramp[:, :16].mean() / 255)
    assert group(found, "tone")[4] == pytest.approx(0.5, abs=0.01)
    edges = group(found, "edges").reshape(16, 6)
    assert (edges[:, 1:] == 0).all()  # brightness rises along one direction only
    assert edges[:, 0] == pytest.approx(np.sqrt(1 / 63), abs=2e-3)
    assert (group(found, "colour") == 0).all()
    tinted = Image.merge("RGB", [Image.fromarray(ramp // part) for part in (1, 2, 4)])
    assert group(described(tinted), "colour")[0] == pytest.approx((ramp - ramp // 4).mean() / 255, abs=0.01)
    # A wave of k periods has its power in the ring that holds k.
    for periods, ring in ((1, 0), (5, 3), (20, 7)):
        wave = 128 + 100 * np.cos(2 * np.pi * periods * np.arange(64) / 64)
        spectrum = group(described(Image.fromarray(np.tile(wave, (64, 1)).astype(np.uint8))), "spectrum")
        assert int(np.argmax(spectrum)) == ring


def test_a_picture_scaled_up_is_nearly_the_same_and_grey_in_colour_is_grey() -> None:
    small = picture(np.random.default_rng(0), size=64)
    large = small.resize((512, 512), Image.Resampling.NEAREST)
    for name, most in (("layout", 0.02), ("tone", 0.05), ("colour", 0), ("shape", 0)):
        moved = group(described(large), name) - group(described(small), name)
        assert np.abs(moved).max() <= most
    assert (described(small.convert("RGB")) == described(small)).all()


def test_a_jpeg_is_described_as_its_pixels_are_but_for_its_coding() -> None:
    rng = np.random.default_rng(1)
    # Units of the least differences that count: between two such discs there are some hundreds of them.
    for width, height in ((905, 1022), (448, 600), (230, 224), (112, 112)):
        one, other = (picture(rng, size=160).resize((width, height)).convert("RGB") for _ in range(2))
        file = BytesIO()
        one.save(file, "JPEG", quality=95)
        decoded = decode_picture(file.getvalue(), PictureLimits(), all_pixels=False)
        apart = np.linalg.norm((described(one) - described(other)) / tolerances())
        assert np.linalg.norm((describe_picture(decoded.reduced) - described(one)) / tolerances()) < 0.1 * apart


def test_colour_counts_however_small_it_is() -> None:
    """No picture is looked at as grey for want of colour: what a patch of it weighs is its share of the thumbnail."""
    grey = picture(np.random.default_rng(2), size=160).resize((905, 1022)).convert("RGB")
    for quality, side in ((95, 4), (75, 8), (40, 16)):
        marked = grey.copy()
        marked.paste((255, 40, 40), (400, 300, 400 + side, 300 + side))
        found = []
        for each in (grey, marked):
            file = BytesIO()
            each.save(file, "JPEG", quality=quality)
            found.append(group(describe_picture(decode_picture(file.getvalue(), PictureLimits()).reduced), "colour")[0])
        assert found[0] == 0
        assert found[1] == pytest.approx(side**2 * 215 / 255 / 905 / 1022, rel=0.7)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 256), st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(0, 99))
def test_quantiles_are_numpys_to_the_last_bit(n: int, values: int, shares: list[float], seed: int) -> None:
    drawn = np.random.default_rng(seed).integers(0, values, n) / 255
    assert np.array_equal(_quantiles(np.sort(drawn), shares), np.quantile(drawn, shares))
