"""Pictures made ready: the same numbers as the library's image processor gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoImageProcessor

from services.common.engine.errors import EngineError
from services.common.engine.vision.joined.pictures import SquarePreparation
from tests.services.common.engine.tiny import picture


def test_it_is_what_the_library_does_with_the_same_settings(tmp_path: Path) -> None:
    preparation = SquarePreparation(side=96)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(preparation.written()))
    loader: Any = AutoImageProcessor
    library = loader.from_pretrained(tmp_path)
    pictures = [picture(1, 130, 70).convert("RGB"), picture(2, 40, 60).convert("RGB")]
    expected = library(pictures, return_tensors="pt")["pixel_values"]
    found = preparation.normalised(preparation.squares(pictures))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_settings_are_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SquarePreparation(side=64).written()))
    assert SquarePreparation.read(tmp_path) == SquarePreparation(side=64)


@pytest.mark.parametrize(
    "change", [{"do_resize": False}, {"size": {"shortest_edge": 64}}, {"resample": 77}, {"do_center_crop": True}]
)
def test_other_settings_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**SquarePreparation().written(), **change}))
    with pytest.raises(EngineError, match="preprocessor_config"):
        SquarePreparation.read(tmp_path)
