"""The shipped contrastive miniature, loaded as the downstream service loads it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import models
from models.contrastive.networks import NAME
from models.contrastive.publish import measure
from services.common.contrastive.kinds import is_contrastive
from services.common.contrastive.model import ContrastiveModel

FOLDER = Path(models.__file__).parent / NAME


@pytest.fixture(scope="module")
def metrics() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((FOLDER / "metrics.json").read_text(encoding="utf-8"))
    return found


def test_files_are_small_safe_and_complete() -> None:
    files = {file.name: file.stat().st_size for file in FOLDER.iterdir()}
    assert max(files.values()) <= 5 * 1024 * 1024
    assert {Path(file).suffix for file in files} <= {".json", ".safetensors", ".md"}
    assert {"contrastive.json", "metrics.json", "provenance.json", "card.md"} <= set(files)
    assert is_contrastive(FOLDER)
    assert "No clinical use" in (FOLDER / "card.md").read_text(encoding="utf-8")


def test_the_weights_are_those_that_the_recipe_made() -> None:
    provenance = json.loads((FOLDER / "provenance.json").read_text(encoding="utf-8"))
    assert hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest() == provenance["weights_sha256"]


def test_it_knows_more_than_chance_and_its_figures_are_found_again(metrics: dict[str, dict[str, float]]) -> None:
    model = ContrastiveModel.load(FOLDER)
    found = measure(model, 200)
    assert metrics["accuracy"]["low"] > 0.4
    assert found["accuracy"]["value"] == pytest.approx(metrics["accuracy"]["value"], abs=0.1)
