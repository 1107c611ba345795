"""Settings at a service's start: what cannot be used ends it with the variable, or the place in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from services.common.address import HttpAddress
from services.common.settings import ServiceSettings
from services.common.startup import SettingsFaultError, read_settings, settings_of, unknown_variables
from services.gateway.settings import GatewaySettings
from services.trainer.model_settings import ModelSettings
from services.trainer.settings import TrainerSettings


class DemoSettings(ServiceSettings, service="demo"):
    """Settings as a service has them."""

    max_risk: float = Field(default=0.1, ge=0, le=1)
    methods: tuple[str, ...] = ("cgp",)
    model_url: HttpAddress = "http://127.0.0.1:8082/v1"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TRUSTVQA_CONFIG", "TRUSTVQA_SECRETS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        read_settings(DemoSettings)
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "Traceback" not in message
    return message


def test_settings_that_are_right_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_DEMO_MAX_RISK", "0.05")
    monkeypatch.setenv("trustvqa_demo_methods", '["verbalized"]')
    settings = read_settings(DemoSettings, {"port": 1234})
    assert (settings.max_risk, settings.methods, settings.port) == (0.05, ("verbalized",), 1234)


def test_a_misspelt_variable_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRUSTVQA_DEMO_MAX_RSIK", "0.01")
    assert "TRUSTVQA_DEMO_MAX_RSIK (is TRUSTVQA_DEMO_MAX_RISK meant?)" in refusal(capsys)


def test_variables_of_others_are_passed_over() -> None:
    names = ["HOME", "TRUSTVQA_DEMO_PORT", "trustvqa_demo_max_risk", "TRUSTVQA_OTHER_MAX_RSIK", "TRUSTVQA_CONFIG"]
    # Kubernetes' addresses of services beside the container
    names += ["TRUSTVQA_DEMO_SERVICE_HOST", "TRUSTVQA_DEMO_SERVICE_PORT_HTTP", "TRUSTVQA_DEMO_PORT_8080_TCP_ADDR"]
    assert unknown_variables(DemoSettings, names) == []
    assert unknown_variables(DemoSettings, ["TRUSTVQA_DEMO_ZZZ"]) == ["TRUSTVQA_DEMO_ZZZ"]


def test_kubernetes_ports_of_services_beside_it_are_passed_over() -> None:
    of_canary = ["TRUSTVQA_DEMO_CANARY_SERVICE_HOST", "TRUSTVQA_DEMO_CANARY_SERVICE_PORT", "TRUSTVQA_DEMO_CANARY_PORT"]
    assert unknown_variables(DemoSettings, of_canary) == []
    assert unknown_variables(DemoSettings, of_canary[1:]) == ["TRUSTVQA_DEMO_CANARY_PORT"]


def test_a_variable_that_was_renamed_is_told_by_its_new_name() -> None:
    told = ["TRUSTVQA_GATEWAY_LOGPROBS_PAUSE_S (is called TRUSTVQA_GATEWAY_REFUSAL_PAUSE_S now)"]
    assert unknown_variables(GatewaySettings, ["TRUSTVQA_GATEWAY_LOGPROBS_PAUSE_S"]) == told
    assert "refusal_pause_s" in GatewaySettings.model_fields


def test_a_part_of_a_section_passes_other_variables_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_TRAINER_MAX_RUNS_OF_ANOTHER_KIND", "7")
    assert read_settings(ModelSettings).top_k == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "trainer:\n  downstream_ulr: http://other\n",
            r"trainer.downstream_ulr \(mine.yaml, .*is downstream_url meant",
        ),
        ("trainer:\n  downstream_url: other\n", r"trainer.downstream_url \(mine.yaml, or TRUSTVQA_TRAINER_DOWN"),
        ("trainer: [1\n", "mine.yaml is not YAML"),
        ("- trainer\n", "mine.yaml must be names and values"),
        ("gateway:\n  port: 1\n", "mine.yaml has no section 'trainer'"),
    ],
)
def test_a_part_of_a_section_is_read_with_an_eye_on_the_whole(
    monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    """A command that passed a misspelt address over would evaluate another model than was meant."""
    Path("mine.yaml").write_text(text)
    with pytest.raises(SettingsFaultError, match=said):
        settings_of(ModelSettings, file=Path("mine.yaml"), whole=TrainerSettings)
    monkeypatch.setenv("TRUSTVQA_CONFIG", "mine.yaml")
    with pytest.raises(SettingsFaultError, match=said):
        settings_of(ModelSettings, whole=TrainerSettings)


def test_a_command_refuses_a_misspelt_variable_of_the_section(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.yaml").write_text("trainer:\n  port: 9000\n  top_k: 3\n")
    monkeypatch.setenv("TRUSTVQA_TRAINER_PORT", "9001")  # of the service, and none of a command's
    assert settings_of(ModelSettings, file=Path("mine.yaml"), whole=TrainerSettings).top_k == 3
    monkeypatch.setenv("TRUSTVQA_TRAINER_DOWNSTREAM_ULR", "http://other")
    with pytest.raises(SettingsFaultError, match="is TRUSTVQA_TRAINER_DOWNSTREAM_URL meant"):
        settings_of(ModelSettings, file=Path("mine.yaml"), whole=TrainerSettings)


@pytest.mark.parametrize("file", [Path("mine.yaml"), None])
def test_the_file_is_read_once(monkeypatch: pytest.MonkeyPatch, file: Path | None) -> None:
    Path("mine.yaml").write_text("trainer:\n  top_k: 3\n")
    monkeypatch.setenv("TRUSTVQA_CONFIG", "mine.yaml")
    read: list[Path] = []
    read_text = Path.read_text

    def noted(path: Path, *args: Any, **kwargs: Any) -> str:
        read.append(path)
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", noted)
    assert settings_of(ModelSettings, file=file, whole=TrainerSettings).top_k == 3
    assert read_settings(TrainerSettings).top_k == 3
    assert read == [Path("mine.yaml")] * 2


def test_a_value_that_was_given_is_told_by_its_name_alone() -> None:
    with pytest.raises(SettingsFaultError, match=r"\n  top_k: Input should be"):
        settings_of(ModelSettings, {"top_k": -1}, whole=TrainerSettings)
    with pytest.raises(SettingsFaultError, match=r"gone.yaml is no file"):
        settings_of(ModelSettings, file=Path("gone.yaml"))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "abc", "TRUSTVQA_DEMO_PORT: Input should be a valid integer"),
        ("MAX_RISK", "10", "TRUSTVQA_DEMO_MAX_RISK: Input should be less than or equal to 1"),
        (
            "METHODS",
            "cgp,verbalized",
            'TRUSTVQA_DEMO_METHODS: lists and objects are written as JSON, such as ["a", "b"]',
        ),
        ("MODEL_URL", "localhost:11434", "TRUSTVQA_DEMO_MODEL_URL: an address begins with http:// or https://"),
        ("MODEL_URL", "http:///v1", "TRUSTVQA_DEMO_MODEL_URL: an address begins with http:// or https://"),
        ("MODEL_URL", "http://host:port/v1", "TRUSTVQA_DEMO_MODEL_URL: an address has a host and a port from 1"),
        ("MODEL_URL", "http://host:70000", "TRUSTVQA_DEMO_MODEL_URL: an address has a host and a port from 1"),
        ("MODEL_URL", "http://host:0", "TRUSTVQA_DEMO_MODEL_URL: an address has a host and a port from 1"),
        ("MODEL_URL", " http://x:1", "TRUSTVQA_DEMO_MODEL_URL: an address has no blanks"),
        ("MODEL_URL", "http://x:1\n", "TRUSTVQA_DEMO_MODEL_URL: an address has no blanks"),
        ("MODEL_URL", "http://x y", "TRUSTVQA_DEMO_MODEL_URL: an address has no blanks"),
        ("MODEL_URL", "http://x?y=1", "TRUSTVQA_DEMO_MODEL_URL: an address ends with its path"),
        ("MODEL_URL", "http://x/v1#y", "TRUSTVQA_DEMO_MODEL_URL: an address ends with its path"),
        ("MODEL_URL", "", "TRUSTVQA_DEMO_MODEL_URL: an address begins with http:// or https://"),
    ],
)
def test_a_wrong_value_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"TRUSTVQA_DEMO_{name}", value)
    assert said in refusal(capsys)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "demo:\n  prot: 8080\n",
            "demo.prot (mine.yaml, or TRUSTVQA_DEMO_PROT): there is no such setting (is port meant?)",
        ),
        ("demo:\n  max_risk: 0,1\n", "demo.max_risk (mine.yaml, or TRUSTVQA_DEMO_MAX_RISK): Input should be a valid"),
        ("dmeo:\n  port: 8080\n", "mine.yaml has no section 'demo'"),
        ("demo:\n\tport: 8080\n", "mine.yaml is not YAML: while scanning"),
        ("demo: \xff", "mine.yaml is not UTF-8"),
        ("- demo\n", "mine.yaml must be names and values"),
        ("demo\n", "mine.yaml must be names and values"),
        ("demo: 8080\n", "demo (mine.yaml) must be names and values"),
        ("demo:\n- port\n", "demo (mine.yaml) must be names and values"),
        ("demo:\n", "demo (mine.yaml) must be names and values"),
        ("", "mine.yaml has no section 'demo'"),
    ],
)
def test_a_wrong_file_is_told_by_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    Path("mine.yaml").write_bytes(text.encode("latin-1"))
    monkeypatch.setenv("TRUSTVQA_CONFIG", "mine.yaml")
    assert said in refusal(capsys)


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TRUSTVQA_CONFIG", "gone.yaml")
    assert "TRUSTVQA_CONFIG names gone.yaml, which is no file" in refusal(capsys)


def test_a_secret_that_is_no_text_is_not_blamed_on_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "trustvqa_demo_max_risk").write_bytes(b"\xff")
    monkeypatch.setenv("TRUSTVQA_SECRETS", str(tmp_path))
    told = "TRUSTVQA_DEMO_MAX_RISK: the file that holds it (TRUSTVQA_SECRETS) is not UTF-8"
    assert told in refusal(capsys)
