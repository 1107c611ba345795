"""The description of pictures in numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from prompt4trust.shift.picture import TOLERANCE, WIDTH, describe_picture, tolerances
from tests.prompt4trust.shift.questions import picture


def group(numbers: np.ndarray, name: str) -> np.ndarray:
    names = list(TOLERANCE)
    start = sum(TOLERANCE[each][0] for each in names[: names.index(name)])
    return numbers[start : start + TOLERANCE[name][0]]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["L", "RGB"]), st.integers(1, 300), st.integers(1, 300), st.integers(0, 255), st.booleans())
def test_any_picture_has_finite_numbers(mode: str, width: int, height: int, grey: int, noisy: bool) -> None:
    shape = (height, width) if mode == "L" else (height, width, 3)
    pixels = np.random.default_rng(grey).integers(0, 256, shape) if noisy else np.full(shape, grey)
    found = describe_picture(Image.fromarray(pixels.astype(np.uint8)))
    assert found.shape == (WIDTH,) == tolerances().shape
    assert np.isfinite(found).all()
    assert group(found, "shape")[0] == pytest.approx(np.log(width / height))


def test_each_group_sees_what_it_is_named_after() -> None:
    ramp = np.tile(np.linspace(0, 255, 64), (64, 1)).astype(np.uint8)
    found = describe_picture(Image.fromarray(ramp))
    assert group(found, "layout").reshape(4, 4)[:, 0] == pytest.approx(ramp[:, :16].mean() / 255)
    assert group(found, "tone")[4] == pytest.approx(0.5, abs=0.01)
    edges = group(found, "edges").reshape(16, 6)
    assert (edges[:, 1:] == 0).all()  # brightness rises along one direction only
    assert edges[:, 0] == pytest.approx(np.sqrt(1 / 63), abs=2e-3)
    assert (group(found, "colour") == 0).all()
    tinted = Image.merge("RGB", [Image.fromarray(ramp // part) for part in (1, 2, 4)])
    assert group(describe_picture(tinted), "colour")[0] == pytest.approx((ramp - ramp // 4).mean() / 255, abs=0.01)
    # A wave of k periods has its power in the ring that holds k.
    for periods, ring in ((1, 0), (5, 3), (20, 7)):
        wave = 128 + 100 * np.cos(2 * np.pi * periods * np.arange(64) / 64)
        spectrum = group(describe_picture(Image.fromarray(np.tile(wave, (64, 1)).astype(np.uint8))), "spectrum")
        assert int(np.argmax(spectrum)) == ring


def test_a_picture_scaled_up_is_nearly_the_same_and_grey_in_colour_is_grey() -> None:
    small = picture(np.random.default_rng(0), size=64)
    large = small.resize((512, 512), Image.Resampling.NEAREST)
    for name, most in (("layout", 0.02), ("tone", 0.05), ("colour", 0), ("shape", 0)):
        moved = group(describe_picture(large), name) - group(describe_picture(small), name)
        assert np.abs(moved).max() <= most
    assert (describe_picture(small.convert("RGB")) == describe_picture(small)).all()
