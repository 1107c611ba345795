"""Models for the engine's tests, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.engine.model.adapter import ModelOptions, TransformersAdapter
from tests.services.common.engine.tiny import save_text_model, save_vision_model


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_model(tmp_path_factory.mktemp("text-model"))


@pytest.fixture(scope="session")
def vision_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vision_model(tmp_path_factory.mktemp("vision-model"))


@pytest.fixture(scope="session")
def text_adapter(text_model: Path) -> TransformersAdapter:
    return TransformersAdapter.load(ModelOptions(text_model, slots=8))


@pytest.fixture(scope="session")
def vision_adapter(vision_model: Path) -> TransformersAdapter:
    return TransformersAdapter.load(ModelOptions(vision_model, slots=8))
