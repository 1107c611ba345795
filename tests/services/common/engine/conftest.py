"""Models for the engine's tests, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.model.options import ModelOptions
from services.common.engine.parts.store import PartStore
from tests.services.common.engine.tiny import save_text_model, save_vision_model
from tests.services.common.engine.tiny_parts import save_tiny_adapter, save_tiny_joined, tiny_parts


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_model(tmp_path_factory.mktemp("text-model"))


@pytest.fixture(scope="session")
def vision_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vision_model(tmp_path_factory.mktemp("vision-model"))


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> PartStore:
    return tiny_parts(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="session")
def joined_model(tmp_path_factory: pytest.TempPathFactory, parts: PartStore) -> Path:
    return save_tiny_joined(tmp_path_factory.mktemp("joined-model"), parts)


@pytest.fixture(scope="session")
def adapted_model(tmp_path_factory: pytest.TempPathFactory, parts: PartStore) -> Path:
    """A text model that is an adapter over a part."""
    return save_tiny_adapter(tmp_path_factory.mktemp("adapted-model"), parts)


@pytest.fixture(scope="session")
def text_adapter(text_model: Path) -> TransformersAdapter:
    return TransformersAdapter.load(ModelOptions(text_model, slots=8))


@pytest.fixture(scope="session")
def qwen2_vl_adapter(vision_model: Path) -> TransformersAdapter:
    return TransformersAdapter.load(ModelOptions(vision_model, slots=8))


@pytest.fixture(scope="session")
def joined_adapter(joined_model: Path, parts: PartStore) -> TransformersAdapter:
    return TransformersAdapter.load(ModelOptions(joined_model, slots=8, parts=parts.root))


@pytest.fixture(scope="session")
def adapted_adapter(adapted_model: Path, parts: PartStore) -> TransformersAdapter:
    return TransformersAdapter.load(ModelOptions(adapted_model, slots=8, parts=parts.root))


@pytest.fixture(params=["qwen2_vl", "joined"])
def vision_adapter(request: pytest.FixtureRequest) -> TransformersAdapter:
    """A model that sees, of each family in turn."""
    found: TransformersAdapter = request.getfixturevalue(f"{request.param}_adapter")
    return found


@pytest.fixture(params=["qwen2_vl", "joined"])
def vision_options(request: pytest.FixtureRequest, vision_model: Path, parts: PartStore) -> ModelOptions:
    """How to load a model that sees, of each family in turn."""
    path: Path = vision_model if request.param == "qwen2_vl" else request.getfixturevalue("joined_model")
    return ModelOptions(path, slots=8, parts=parts.root)
