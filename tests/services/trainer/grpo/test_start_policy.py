"""The policy that a run begins with, and versions that are published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompt4trust.prompts import load_template
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.trainer.errors import StartPolicyError
from services.trainer.grpo.start_policy import find_start


def policy(path: Path, template: str | None = "guide-compact@1") -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    if template:
        (path / "prompt.json").write_text(load_template(template).model_dump_json())
    return path


def test_a_start_brings_its_wording_or_is_given_one(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    policy(tmp_path / "policies" / "known")
    bare = policy(tmp_path / "bare", None)
    assert find_start("known", None, registry).template.id == "guide-compact@1"
    assert find_start(str(bare), "guide-standard@1", registry).template.id == "guide-standard@1"
    assert find_start("some/hub-model", "guide-standard@1", registry).source == "some/hub-model"
    for name, template, says in (
        ("unknown", None, "neither a directory nor a version"),
        (str(bare), None, "name a prompt_template"),
        (str(bare), "answer-compact@1", "for the role 'answer'"),
        (str(bare), "nothing@1", "cannot be used"),
    ):
        with pytest.raises(StartPolicyError, match=says):
            find_start(name, template, registry)


def test_a_version_is_added_and_never_changed(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    source = policy(tmp_path / "source")
    path = registry.publish_policy("new-1", source)
    assert registry.policies() == ["new-1"]
    assert json.loads((path / "prompt.json").read_text())["role"] == "guide"
    assert registry.active.policy() is None
    with pytest.raises(FileExistsError):
        registry.publish_policy("new-1", source)
    with pytest.raises(RegistryError):
        registry.publish_policy("../new", source)
