"""The shipped contrastive model of real parts: small files, the recipe's weights, and a slice beyond its data."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import models
from models.contrastive_radiology.labels import BODY_PART, CLASSES, MODALITY
from models.contrastive_radiology.publish import LARGEST, NAME
from prompt4trust.pictures import decode_picture
from services.common.contrastive.kinds import is_contrastive
from services.common.contrastive.model import ContrastiveModel
from services.common.engine.parts.named_part import EFFICIENTNET_LITE0, MINILM_L6, parts_of
from services.common.engine.parts.store import PartStore
from services.gateway.web.samples.slices import LIMITS, SLICES, slice_file

ROOT = Path(models.__file__).parents[1]
FOLDER = ROOT / "models" / NAME


def test_files_are_small_and_name_the_parts_that_the_requirements_install() -> None:
    files = [path for path in FOLDER.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= LARGEST
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}
    assert is_contrastive(FOLDER)
    parts = parts_of(json.loads((FOLDER / "config.json").read_text(encoding="utf-8")))
    assert parts == {"vision": EFFICIENTNET_LITE0, "text": MINILM_L6}
    listed = "".join((ROOT / "deploy" / f"{name}-parts.txt").read_text() for name in ("radiology", "encoder"))
    assert all(f"\n{part.package}=={part.version} " in listed for part in parts.values())


def test_the_weights_are_those_that_the_recipe_made_and_the_gate_was_passed() -> None:
    provenance = json.loads((FOLDER / "provenance.json").read_text(encoding="utf-8"))
    assert hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest() == provenance["weights_sha256"]
    assert provenance["stages"]["gate"]["passed"]
    card = (FOLDER / "card.md").read_text(encoding="utf-8")
    for said in ("No clinical use", "VQA-RAD", "CC0", EFFICIENTNET_LITE0.package, MINILM_L6.package):
        assert said in card


def test_it_reads_a_slice_that_is_not_of_its_data() -> None:
    for part in (EFFICIENTNET_LITE0, MINILM_L6):
        try:
            found = version(part.package)
        except PackageNotFoundError:
            found = "none"
        if found != part.version:
            pytest.skip(f"{part.package} {part.version} is not installed: make radiology-parts encoder-parts")
    model = ContrastiveModel.load(FOLDER, parts=PartStore(ROOT / "build" / "parts"))
    [seen] = model.encode_pictures([decode_picture(slice_file(SLICES[0]), LIMITS).reduced.pixels])
    for task, right in ((BODY_PART, "Head"), (MODALITY, "CT")):
        names = list(CLASSES[task])
        assert names[int((model.encode_options(names) @ seen).argmax())] == right
