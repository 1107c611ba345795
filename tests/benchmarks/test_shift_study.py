"""The benchmark of unlike questions: a small, fast version with fixed seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from benchmarks.shift.spoiling import ELSEWHERE, HARMLESS, STRANGE
from benchmarks.shift.study import Drawn, ask_elsewhere, draw, draw_look, leave_out, reference_of, spoil, tell

Phantoms = tuple[list[Drawn], list[Drawn]]


@pytest.fixture(scope="module")
def phantoms() -> Phantoms:
    return draw(480, 1, "calibration"), draw(90, 1, "validation")


def test_a_modality_that_the_reference_lacks_is_told_by_its_pictures(phantoms: Phantoms) -> None:
    told = leave_out(*phantoms, "Radiograph", 0.9)
    assert told["all"].auroc["picture"].value > 0.98
    assert told["all"].auroc["words"].value == pytest.approx(0.5, abs=0.1)  # questions do not name what is shown
    assert told["all"].beyond["both"].value > 0.9
    assert told["usual"].beyond["both"].value < 0.2
    assert told["pure"].n + told["blended"].n == told["all"].n


def test_what_is_spoilt_is_told_and_what_is_harmless_is_not(phantoms: Phantoms) -> None:
    known, tried = phantoms
    reference, some = reference_of(known), tried[:20]
    usual = [each.described for each in tried]

    def beyond(unusual: Sequence[object], part: str) -> float:
        return tell(reference, usual, unusual, 0.98).beyond[part].value  # type: ignore[arg-type]

    for name in ("white noise", "photo-like noise in colour", "blank grey", "inverted", "tiles shuffled"):
        assert beyond(spoil(some, STRANGE[name]), "both") > 0.9, name
    assert beyond(spoil(some, HARMLESS["scaled to 300 %"]), "both") < 0.2
    assert beyond([each.described for each in draw_look(10, 1, "validation", "PET")], "picture") > 0.8
    elsewhere = ask_elsewhere(some, ELSEWHERE)
    assert beyond(elsewhere, "words") > 0.9
    assert beyond(elsewhere, "picture") < 0.2


def test_spoiling_does_what_it_says() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112)).astype(np.uint8)
    made = {name: how(pixels, np.random.default_rng(1)) for name, how in {**STRANGE, **HARMLESS}.items()}
    assert np.array_equal(np.asarray(made["inverted"]), 255 - pixels)
    assert np.array_equal(np.asarray(made["turned by 90 degrees"].rotate(-90)), pixels)
    assert sorted(np.asarray(made["tiles shuffled"]).ravel()) == sorted(pixels.ravel())
    assert made["middle half alone"].size == (56, 56)
    assert made["a tenth cut off on each side"].size == (90, 90)
    assert made["photo-like noise in colour"].mode == "RGB"
    assert all(isinstance(each, Image.Image) for each in made.values())
