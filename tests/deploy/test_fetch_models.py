"""The step that lays the GPU stack's first policy into the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.fetch_models import main, publish_policy
from services.common.registry.directory import Registry
from services.common.registry.errors import PolicyTemplateError
from services.common.registry.policy_template import read_policy_template


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A model as the hub's cache holds it: links to files that lie elsewhere."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (blobs / name).write_text("{}")
        (snapshot / name).symlink_to(blobs / name)
    return snapshot


def test_both_models_are_fetched_and_the_policy_becomes_a_version(hub: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    def download(model: str) -> str:
        asked.append(model)
        return str(hub)

    registry = Registry(tmp_path / "registry")
    main(["org/answers", "org/guides", "guides-1", str(registry.root)], download)
    assert asked == ["org/answers", "org/guides"]
    assert registry.policies() == ["guides-1"]
    version = registry.policy_path("guides-1")
    assert read_policy_template(version).name == "guide-standard"
    assert not any(path.is_symlink() for path in version.iterdir())


def test_a_version_that_is_there_is_left_alone(hub: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    assert publish_policy(registry, "org/guides", "guides-1", "guide-standard@1", lambda _: str(hub))
    (registry.policy_path("guides-1") / "card.md").write_text("mine")

    def fails(model: str) -> str:
        raise AssertionError(model)

    assert not publish_policy(registry, "org/guides", "guides-1", "guide-standard@1", fails)
    assert (registry.policy_path("guides-1") / "card.md").read_text() == "mine"


@pytest.mark.parametrize("template", ["guide-standrad@1", "answer-standard@1"])
def test_a_wording_that_is_none_is_refused_before_anything_is_fetched(template: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyTemplateError):
        publish_policy(Registry(tmp_path), "org/guides", "guides-1", template, lambda _: "/nowhere")
    assert not (tmp_path / "policies").exists()


def test_a_fetch_that_breaks_off_leaves_no_version(tmp_path: Path) -> None:
    def breaks(model: str) -> str:
        raise OSError("connection lost")

    registry = Registry(tmp_path / "registry")
    with pytest.raises(OSError, match="connection lost"):
        publish_policy(registry, "org/guides", "guides-1", "guide-standard@1", breaks)
    assert registry.policies() == []
