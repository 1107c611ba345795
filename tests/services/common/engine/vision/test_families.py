"""The table of families of models that see, and that what is not in it is refused before any weights are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoConfig

from services.common.engine.errors import EngineError
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.model.options import ModelOptions
from services.common.engine.vision.families import FAMILIES, family_of, register_families


def test_transformers_knows_every_family_as_one_that_sees() -> None:
    register_families()
    for model_type in FAMILIES:
        assert hasattr(AutoConfig.for_model(model_type), "vision_config")
        assert family_of(model_type) is FAMILIES[model_type]


def test_another_family_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava"}))
    with pytest.raises(EngineError, match="sees with qwen2_vl, qwen2_5_vl, trustvqa_joined models; llava needs vLLM"):
        TransformersAdapter.load(ModelOptions(tmp_path))
