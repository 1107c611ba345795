"""Parts that `trustvqa up` makes ready ahead of the services, as configuration and environment have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.common.engine.errors import EngineError
from services.common.engine.parts.named_part import SMOLLM2, NamedPart
from trustvqa.cli.operate.model_parts import make_parts_ready

MISSING = NamedPart.read({**SMOLLM2.written(), "package": "no-such-package-anywhere"})


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that names a part whose package is not installed; it is what is configured."""
    (tmp_path / "config.json").write_text(json.dumps({"parts": {"language": MISSING.written()}}))
    monkeypatch.setenv("TRUSTVQA_DOWNSTREAM_MODEL_PATH", str(tmp_path))
    monkeypatch.setenv("TRUSTVQA_DOWNSTREAM_REGISTRY", str(tmp_path / "registry"))
    return tmp_path


def test_a_part_that_is_missing_is_named_with_a_remedy(model: Path) -> None:
    with pytest.raises(EngineError, match=r"no-such-package-anywhere.*`make radiology-parts`"):
        make_parts_ready(print)


def test_a_part_that_is_ready_takes_no_package(model: Path) -> None:
    lines: list[str] = []
    ready = model / "registry" / "cache" / "parts" / MISSING.folder
    ready.mkdir(parents=True)
    (ready / "config.json").write_text("{}")
    make_parts_ready(lines.append)
    assert lines == []


def test_parts_may_lie_elsewhere(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_DOWNSTREAM_PARTS", str(model / "elsewhere"))
    ready = model / "elsewhere" / MISSING.folder
    ready.mkdir(parents=True)
    (ready / "config.json").write_text("{}")
    make_parts_ready(print)


def test_another_engine_s_model_is_not_looked_at(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_DOWNSTREAM_ENGINE", "vllm")
    make_parts_ready(print)


def test_settings_that_cannot_be_used_are_told_by_their_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRUSTVQA_DOWNSTREAM_PORT", "abc")
    with pytest.raises(SystemExit):
        make_parts_ready(print)
    assert "TRUSTVQA_DOWNSTREAM_PORT: Input should be a valid integer" in capsys.readouterr().err


def test_the_miniatures_name_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_DOWNSTREAM_REGISTRY", str(tmp_path))
    make_parts_ready(print)
    assert list(tmp_path.iterdir()) == []
