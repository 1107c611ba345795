"""`trustvqa up` in a checkout and elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from trustvqa.cli.operate.up import _environment, _sections, missing_files, sample_curl
from trustvqa.cli.running_stack import SERVICES

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


def test_models_that_were_set_up_elsewhere_are_asked_and_not_those_that_are_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who named a model would else get another one's answers without a word."""
    file = tmp_path / "mine.yaml"
    file.write_text("gateway: {downstream_url: 'https://models.example/v1', policy_url: 'http://127.0.0.1:8081'}\n")
    monkeypatch.setenv("TRUSTVQA_CONFIG", str(file))
    for name in ("TRUSTVQA_GATEWAY_DOWNSTREAM_URL", "TRUSTVQA_TRAINER_DOWNSTREAM_URL", "TRUSTVQA_TRAINER_POLICY_URL"):
        monkeypatch.delenv(name, raising=False)
    ports = {name: 9080 + offset for offset, name in enumerate(SERVICES)}

    def asked(service: str) -> list[str | None]:
        made = _environment(service, "127.0.0.1", ports, None, _sections())
        return [made.get(f"TRUSTVQA_{service.upper()}_{each}_URL") for each in ("POLICY", "DOWNSTREAM")]

    assert asked("gateway") == ["http://127.0.0.1:9081", None]  # which leaves it to the file
    assert asked("trainer") == ["http://127.0.0.1:9081", "http://127.0.0.1:9082/v1"]
    monkeypatch.setenv("TRUSTVQA_TRAINER_DOWNSTREAM_URL", "https://other.example/v1")
    assert asked("trainer") == ["http://127.0.0.1:9081", "https://other.example/v1"]
    monkeypatch.setenv("TRUSTVQA_TRAINER_DOWNSTREAM_URL", "http://localhost:8082/v1")
    assert asked("trainer") == ["http://127.0.0.1:9081", "http://127.0.0.1:9082/v1"]
    file.write_text("[broken")
    assert asked("gateway") == ["http://127.0.0.1:9081", "http://127.0.0.1:9082/v1"]


def test_for_real_pictures_it_is_a_slice_that_is_there() -> None:
    line = sample_curl("URL", "slices")
    assert Path(line.split("image=@")[1].split()[0]).resolve().is_file()
    assert "-F question='Which body part is shown?'" in line
    assert line.endswith("-F options=Head -F options=Chest -F options=Abdomen")
