"""`trustvqa up` where there is no checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from trustvqa.cli.operate.up import missing_files


def test_without_configuration_and_models_it_says_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no configs/embedded.yaml here, and no models/" in (missing_files({"HOME": "/root"}) or "")
    assert missing_files({"TRUSTVQA_CONFIG": "mine.yaml"}) is None
    assert missing_files({"TRUSTVQA_DOWNSTREAM_MODEL_PATH": "/models/mine"}) is None
    (tmp_path / "models").mkdir()
    assert missing_files({}) is None
