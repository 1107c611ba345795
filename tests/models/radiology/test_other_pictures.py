"""Pictures of other kinds: drawn anew by the same seed, apart by split, and a data set to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.radiology.data.other_pictures import DRAWN, LEARNED, OPTIONS, QUESTION, draw, write_learned
from prompt4trust.datasets import load_dataset

SMALL = ("phantom, MRI", "grey chart", "blank", "colour chart", "ramp")


def test_the_same_seed_draws_the_same_and_another_split_does_not() -> None:
    for kind in SMALL:
        [one], [same], [other] = (list(draw(kind, 1, 3, split)) for split in ("test", "test", "learned"))
        assert one.mode in ("L", "RGB")
        assert one.tobytes() == same.tobytes()
        assert (one.size, one.tobytes()) != (other.size, other.tobytes())


def test_grey_kinds_are_grey_and_coloured_ones_are_not() -> None:
    for kind in ("fundus", "scene", "colour chart"):
        pixels = np.asarray(next(draw(kind, 1, 0, "test")), dtype=np.int64)
        assert np.ptp(pixels, axis=2).max() > 40
    assert {next(draw(kind, 1, 0, "test")).mode for kind in ("grey scene", "grey fundus", "page", "scanned page")} == {
        "L"
    }


def test_what_is_learned_from_is_a_data_set_that_the_command_reads(tmp_path: Path) -> None:
    assert set(LEARNED) < set(DRAWN)
    found = load_dataset(write_learned(tmp_path, n=1).parent)
    assert len(found.questions) == len(LEARNED)
    assert {(each.text, tuple(each.options.values())) for each in found.questions} == {(QUESTION, OPTIONS)}
