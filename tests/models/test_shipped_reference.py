"""The shipped reference inputs belong to the shipped calibrators, and tell what is unlike Phantom-VQA."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.shift.study import draw, draw_look
from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.picture_files import PREPARATION, read_reduced_picture
from prompt4trust.questions import letter_options
from prompt4trust.selection import GuardArtifact
from prompt4trust.shift import PictureAndWords, ReferenceArtifact

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "services" / "gateway" / "static" / "samples"


@pytest.fixture(scope="module")
def shipped() -> ReferenceArtifact:
    [path] = (ROOT / "models" / "references").glob("*.json")
    assert path.stat().st_size < 1_000_000
    return ReferenceArtifact.load(path)


def test_every_shipped_calibrator_and_guard_has_it(shipped: ReferenceArtifact) -> None:
    calibrators = [CalibratorArtifact.load(path) for path in sorted((ROOT / "models" / "calibrators").glob("*.json"))]
    guards = [GuardArtifact.load(path) for path in sorted((ROOT / "models" / "guards").glob("*.json"))]
    assert calibrators
    made: list[CalibratorArtifact | GuardArtifact] = [*calibrators, *guards]
    assert shipped.fits(PREPARATION)
    for each in made:
        # Where this fails: make the reference anew, of the questions that these were made from.
        assert shipped.covers(each.dataset, each.data_hash, each.questions), each.name


def test_phantoms_and_the_pages_samples_are_like_it_and_another_look_is_not(shipped: ReferenceArtifact) -> None:
    reference = shipped.reference()
    assert (set(reference.counts.values()), shipped.warnings) == ({2000}, [])
    for sample in json.loads((SAMPLES / "samples.json").read_text()):
        picture = read_reduced_picture(SAMPLES / sample["image"])
        described = PictureAndWords().describe(picture, sample["question"], letter_options(sample["options"]))
        assert not reference.judge(described).beyond(0.99), sample["label"]
    usual, _ = reference.judge_all([each.described for each in draw(60, 77, "test")])
    assert (usual >= 0.99).sum() <= 4  # of 60 at a rate of one in a hundred: less often than once in a thousand seeds
    strange, _ = reference.judge_all([each.described for each in draw_look(20, 77, "test", "PET")])
    assert (strange >= 0.99).mean() > 0.9
