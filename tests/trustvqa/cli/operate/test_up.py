"""`trustvqa up` in a checkout and elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from trustvqa.cli.operate.up import missing_files, sample_curl

ROOT = Path(__file__).resolve().parents[4]


def test_without_configuration_and_models_it_says_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no configs/embedded.yaml here, and no models/" in (missing_files({"HOME": "/root"}) or "")
    assert missing_files({"TRUSTVQA_CONFIG": "mine.yaml"}) is None
    assert missing_files({"TRUSTVQA_DOWNSTREAM_MODEL_PATH": "/models/mine"}) is None
    (tmp_path / "models").mkdir()
    assert missing_files({}) is None


def test_the_sample_is_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert "curl -s URL/vqa -F image=@services/gateway/static/samples/mri.png " in sample_curl("URL")
    monkeypatch.chdir(tmp_path)
    assert f"image=@{ROOT}/services/gateway/static/samples/mri.png " in sample_curl("URL")


def test_for_real_pictures_it_is_a_slice_that_is_there() -> None:
    line = sample_curl("URL", "slices")
    assert Path(line.split("image=@")[1].split()[0]).resolve().is_file()
    assert "-F question='Which body part is shown?'" in line
    assert line.endswith("-F options=Head -F options=Chest -F options=Abdomen")
