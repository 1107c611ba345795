"""The shipped adapter: small files, complete cards, evidence that belongs together, and figures that come out again."""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from models.radiology.data.other_pictures import OPTIONS, QUESTION, draw
from models.radiology.familiarity import unlike_questions
from models.radiology.publish import LARGEST, NAME
from models.radiology.reproduction import FEW, reproduced
from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.datasets.phantoms.families import MODALITIES
from prompt4trust.picture_files import PREPARATION
from prompt4trust.pictures import PictureLimits, ReducedPicture, decode_picture
from prompt4trust.questions import letter_options
from prompt4trust.selection import GuardArtifact
from prompt4trust.shift import ReferenceArtifact
from prompt4trust.shift.measures.word_counts import LEAST_WORDINGS
from prompt4trust.shift.reference import reached
from prompt4trust.shift.stored.summed_parts import GroupsPart, VocabularyPart
from services.common.engine.parts.named_part import EFFICIENTNET_LITE0, SMOLLM2
from services.common.engine.parts.store import PartStore
from services.gateway.web.samples.slices import LIMITS, SLICES, slice_file

TOLD = (*(f"phantom, {look}" for look in MODALITIES), "white noise", "colour chart", "blank")
ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "models" / NAME
PARTS = ROOT / "build" / "parts"
"""Kept from run to run, as their conversion takes longer than the test."""
WHOLE = "RADIOLOGY_WHOLE" in os.environ
"""Whether all forty test pictures are replied to in words, and not each eighth."""
DATA = Path(os.environ.get("TRUSTVQA_RADIOLOGY_DATA", ROOT.parent / "shared" / "data" / "vqa-rad"))


def test_no_file_is_larger_than_may_be_shipped_and_the_card_says_what_it_is() -> None:
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) <= LARGEST
    card = (SHIPPED / "card.md").read_text(encoding="utf-8")
    for said in ("No clinical use", "VQA-RAD", "CC0", "Apache-2.0", SMOLLM2.package, EFFICIENTNET_LITE0.package):
        assert said in card


def test_calibrators_guards_and_reference_belong_together() -> None:
    calibrators = [CalibratorArtifact.load(path) for path in (SHIPPED / "calibrators").glob("*.json")]
    guards = [GuardArtifact.load(path) for path in (SHIPPED / "guards").glob("*.json")]
    [reference] = [ReferenceArtifact.load(path) for path in (SHIPPED / "references").glob("*.json")]
    assert {each.key.line for each in guards} <= {each.key.line for each in calibrators}
    assert reference.fits(PREPARATION)
    made: list[CalibratorArtifact | GuardArtifact] = [*calibrators, *guards]
    for each in made:
        assert each.key.downstream == NAME
        assert reference.covers(each.dataset, each.data_hash, each.questions), each.name


def limits() -> list[float]:
    """The atypicality limits of the pair's configurations."""
    files = (ROOT / "configs" / "radiology.yaml", ROOT / "deploy" / "containers-radiology.yaml")
    return [yaml.safe_load(each.read_text(encoding="utf-8"))["gateway"]["atypicality_limit"] for each in files]


def test_the_reference_can_tell_what_is_beyond_the_configured_limit() -> None:
    """Fifty pictures cannot show 0.99: a configuration that asked for it would tell nothing."""
    [path] = (SHIPPED / "references").glob("*.json")
    artifact = ReferenceArtifact.load(path)
    reference = artifact.reference()
    assert artifact.counts_pictures
    assert reference.counts == {"picture": 50, "words": 497, "picture-kind": 50, "colour": 50}
    assert len(set(limits())) == 1
    assert reference.reaches(limits()[0])
    # A picture more unlike than every one of the fifty is beyond it, and so is a question about something else.
    usual = decode_picture(slice_file(SLICES[0]), PictureLimits()).reduced
    asked = "Who won the football match yesterday evening?", letter_options(("The home team", "The guests"))
    judged = reference.judge(artifact.describer().describe(usual, *asked))
    assert judged.most == "words"
    assert judged.beyond(limits()[0])


def test_no_single_picture_or_question_can_be_recognised_by_the_reference() -> None:
    [path] = (SHIPPED / "references").glob("*.json")
    artifact = ReferenceArtifact.load(path)
    assert not artifact.keeps_rows
    words = artifact.parts["words"]
    assert isinstance(words, VocabularyPart)
    assert min(count for _, count in (*words.question, *words.options)) >= LEAST_WORDINGS
    for part in artifact.parts.values():
        assert part.scores is None
        assert part.levels is not None
        assert part.levels.reaching[-2:] in ([8, 0], [0])
    groups = artifact.parts["picture"]
    assert isinstance(groups, GroupsPart)
    assert sum(groups.sizes) == 160
    assert min(groups.sizes) >= 10


def test_a_misread_slice_that_looks_usual_carries_no_promise() -> None:
    """The pair calls pydicom's abdomen MR a head, and is sure: of MR it was trained on heads."""
    [path] = (SHIPPED / "references").glob("*.json")
    artifact = ReferenceArtifact.load(path)
    reference = artifact.reference()
    for sample, right in ((SLICES[0], "Head"), (SLICES[1], "Abdomen")):
        reduced = decode_picture(slice_file(sample), LIMITS).reduced
        options = ("Head", "Chest", "Abdomen")
        described = artifact.describer().describe(reduced, "Which body part is shown?", letter_options(options))
        assert not reference.judge(described).beyond(limits()[0])
        against = {option: reference.against(described, option, options) for option in options}
        assert against == {option: None if option == right else right.casefold() for option in options}
        for other in ("Which of these is NOT shown?", "Where does the lesion sit?", "Which body part is not shown?"):
            asked = artifact.describer().describe(reduced, other, letter_options(options))
            assert all(reference.against(asked, option, options) is None for option in options)


def test_the_stored_shares_of_unlike_questions_come_out_again() -> None:
    """A usual picture says nothing of them, so that one does for the forty of the test split."""
    stored = json.loads((SHIPPED / "familiarity.json").read_text(encoding="utf-8"))
    [path] = (SHIPPED / "references").glob("*.json")
    artifact = ReferenceArtifact.load(path)
    assert stored["limit"] == limits()[0]
    assert stored["compared_with"] == artifact.reference().counts
    usual = Image.fromarray(np.asarray(decode_picture(slice_file(SLICES[0]), PictureLimits()).reduced.pixels))
    found = unlike_questions(artifact.reference(), artifact, [usual], limits()[0])
    told = {kind: (each["n"], each["beyond"]) for kind, each in found.items()}
    assert told == {kind: (each["n"], each["beyond"]) for kind, each in stored["unlike questions"].items()}
    assert found["off topic"]["beyond"] > 0.8


def test_the_reference_knows_the_pages_slices_and_none_of_the_look_alikes() -> None:
    [path] = (SHIPPED / "references").glob("*.json")
    artifact = ReferenceArtifact.load(path)
    reference, options = artifact.reference(), letter_options(OPTIONS)
    shown = [decode_picture(slice_file(each), LIMITS).reduced for each in SLICES[:2]]
    others = [ReducedPicture.of(each) for kind in TOLD for each in draw(kind, 4, 99, "test")]
    judged, _ = reference.judge_all(
        [artifact.describer().describe(each, QUESTION, options) for each in (*shown, *others)]
    )
    limit = limits()[0]
    beyond = [reached(each, limit) for each in judged]
    assert not any(beyond[: len(shown)])
    assert sum(beyond[len(shown) :]) >= 0.95 * len(others)


@pytest.mark.timeout(400)  # of a fresh checkout the parts are converted first: minutes on a busy machine
def test_stored_figures_come_out_again() -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not there: real pictures are read where they lie, and never copied")
    for part in (SMOLLM2, EFFICIENTNET_LITE0):
        try:
            version(part.package)
        except PackageNotFoundError:
            pytest.skip(f"{part.package} is not installed: `make dev` does it")
    provenance = json.loads((SHIPPED / "provenance.json").read_text(encoding="utf-8"))
    stored = provenance["reproduced" if WHOLE else "reproduced_few"]
    found = reproduced(SHIPPED, PartStore(PARTS), DATA, replies=1 if WHOLE else FEW)
    assert found["n"] == stored["n"] == 40
    assert found["replies"] == stored["replies"] == (40 if WHOLE else 5)
    # Other processors round otherwise: a near tie may fall differently, of either kind's questions at most one.
    for name in ("body_part_accuracy", "asked_accuracy"):
        assert found[name] == pytest.approx(stored[name], abs=2 / 40 + 1e-9)
    assert found["likeliest"] == pytest.approx(stored["likeliest"], abs=1 / found["replies"] + 1e-9)
    for name in ("valid", "stated", "belief"):
        assert found[name] == pytest.approx(stored[name], abs=0.02)
