"""A policy version that is an adapter over a pretrained part: it is loaded, writes, and is refused where parts lack."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from prompt4trust.models import Sampling
from prompt4trust.prompts import guide_messages
from services.common.engine.parts.store import PartStore
from services.policy.errors import UnusableVersionError
from services.policy.generators.local_generator import start_transformers_engine
from services.policy.settings import PolicySettings
from services.policy.versions.loaders import local_loader
from tests.services.common.engine.tiny_parts import save_tiny_adapter, tiny_parts
from tests.services.policy.conftest import SHIPPED


@pytest.fixture
def parts(tmp_path: Path) -> PartStore:
    return tiny_parts(tmp_path / "registry" / "cache" / "parts")


@pytest.fixture
def version(tmp_path: Path, parts: PartStore) -> Path:
    directory = save_tiny_adapter(tmp_path / "registry" / "policies" / "policy-adapter", parts)
    shutil.copy(SHIPPED / "prompt.json", directory)
    return directory


async def test_it_writes_with_its_parts_tokenizer(version: Path, tmp_path: Path) -> None:
    settings = PolicySettings(registry=tmp_path / "registry", device="cpu")
    load = local_loader(partial(start_transformers_engine, settings=settings), digests=True)
    policy = await load(version.name, version)
    try:
        found = await policy.generator.generate(
            guide_messages(policy.template, "Is it so?", {"A": "Yes"}), 2, Sampling(max_tokens=6, seed=1)
        )
    finally:
        await policy.generator.aclose()
    assert len(found.completions) == 2
    assert all(each.text for each in found.completions)


async def test_without_its_parts_it_is_refused(version: Path, tmp_path: Path) -> None:
    settings = PolicySettings(registry=tmp_path / "registry", parts=tmp_path / "empty", device="cpu")
    load = local_loader(partial(start_transformers_engine, settings=settings), digests=False)
    with pytest.raises(UnusableVersionError, match="cannot be loaded"):
        await load(version.name, version)


@pytest.mark.parametrize("config", [{"parts": {}}, {"model_type": "llama"}, []])
async def test_a_version_that_names_no_part_needs_a_tokenizer(version: Path, config: object) -> None:
    (version / "config.json").write_text(json.dumps(config))
    load = local_loader(partial(start_transformers_engine, settings=PolicySettings()), digests=False)
    with pytest.raises(UnusableVersionError, match="holds no tokenizer"):
        await load(version.name, version)
