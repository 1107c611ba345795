"""Sources of settings, and errors that name a mistake in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field, ValidationError

from prompt4trust.prompts import load_template
from services.common.settings import ServiceSettings
from services.downstream.settings import DownstreamSettings
from services.gateway.settings import GatewaySettings
from services.policy.settings import PolicySettings
from services.trainer.grpo.config.config_file import load_training
from services.trainer.grpo.connection import ConnectionSettings
from services.trainer.settings import TrainerSettings

CONFIGS = Path(__file__).resolve().parents[3] / "configs"


class DemoSettings(ServiceSettings, service="demo"):
    port: int = 1000
    colour: str = "grey"
    weights: dict[str, float] = Field(default_factory=dict)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRUSTVQA_CONFIG", raising=False)
    monkeypatch.delenv("TRUSTVQA_SECRETS", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("demo:\n  port: 2000\n  colour: blue\nother:\n  port: 1\n")
    monkeypatch.setenv("TRUSTVQA_CONFIG", str(path))
    return path


def test_defaults_hold_where_nothing_is_said() -> None:
    settings = DemoSettings()
    assert (settings.host, settings.port, settings.colour) == ("127.0.0.1", 1000, "grey")


def test_the_file_is_over_the_defaults_and_only_its_own_section_is_read(config: Path) -> None:
    settings = DemoSettings()
    assert (settings.port, settings.colour, settings.log_level) == (2000, "blue", "info")


def test_the_environment_is_over_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_DEMO_PORT", "3000")
    monkeypatch.setenv("TRUSTVQA_DEMO_WEIGHTS", '{"a": 0.5}')
    monkeypatch.setenv("TRUSTVQA_OTHER_COLOUR", "red")
    settings = DemoSettings()
    assert (settings.port, settings.colour, settings.weights) == (3000, "blue", {"a": 0.5})


def test_the_constructor_is_over_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_DEMO_PORT", "3000")
    assert DemoSettings(port=4000).port == 4000


def test_without_a_named_file_the_embedded_configuration_is_read(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "embedded.yaml").write_text("demo: {port: 5000}\n")
    assert DemoSettings().port == 5000


@pytest.mark.parametrize("section", ["  prot: 2000", "  port: many", "  shutdown_grace_s: 0", "  log_level: loud"])
def test_a_mistake_in_the_file_is_an_error(config: Path, section: str) -> None:
    config.write_text(f"demo:\n{section}\n")
    with pytest.raises(ValidationError, match=section.split(":")[0].strip()):
        DemoSettings()


def test_a_file_without_the_service_s_section_is_an_error(config: Path) -> None:
    config.write_text("dmeo:\n  port: 1\n")
    with pytest.raises(KeyError, match="demo"):
        DemoSettings()


def test_an_empty_section_leaves_the_defaults(config: Path) -> None:
    config.write_text("demo:\n")
    assert DemoSettings().port == 1000


def test_naming_a_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRUSTVQA_CONFIG", str(tmp_path / "absent.yaml"))
    with pytest.raises(FileNotFoundError, match=r"TRUSTVQA_CONFIG names .*absent\.yaml"):
        DemoSettings()


def test_a_file_may_be_given_instead_of_named(config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = tmp_path / "given.yaml"
    given.write_text("demo: {port: 5000}\n")
    monkeypatch.setenv("TRUSTVQA_DEMO_COLOUR", "red")
    settings = DemoSettings.from_file(given, weights={"a": 0.5})
    assert (settings.port, settings.colour, settings.weights) == (5000, "red", {"a": 0.5})
    assert DemoSettings.from_file(given, port=6000).port == 6000
    assert DemoSettings().port == 2000  # that of the named file
    with pytest.raises(FileNotFoundError, match=r"absent\.yaml is no file"):
        DemoSettings.from_file(tmp_path / "absent.yaml")


def test_settings_cannot_be_changed_later() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(DemoSettings(), "port", 1)  # noqa: B010 - mypy refuses the plain form, as it should


def test_settings_without_a_service_are_refused() -> None:
    with pytest.raises(TypeError, match="service="):
        ServiceSettings()


@pytest.mark.parametrize(
    "settings", [GatewaySettings, PolicySettings, DownstreamSettings, TrainerSettings, ConnectionSettings]
)
@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(
    settings: type[ServiceSettings], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUSTVQA_CONFIG", str(path))
    assert settings().host == "127.0.0.1"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configurations_say_how_to_train(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_CONFIG", str(path))
    connection, policy = ConnectionSettings(), PolicySettings()
    assert load_template(connection.answer_template).role == "answer"
    if policy.required:
        assert load_training(path).version not in connection.downstream_model
    # Every section is a service's, or one of these two: a misspelt section would be read by nobody.
    sections = {each.service for each in (GatewaySettings, PolicySettings, DownstreamSettings, TrainerSettings)}
    training = {"training"} if policy.required else set()
    assert set(yaml.safe_load(path.read_text())) == sections | {"common"} | training


def test_all_shipped_configurations_but_one_have_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    without = []
    for path in CONFIGS.glob("*.yaml"):
        monkeypatch.setenv("TRUSTVQA_CONFIG", str(path))
        without += [] if PolicySettings().required else [path.stem]
    assert without == ["radiology"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"engine": "openai"}, "needs upstream_url"),
        ({"engine": "openai", "upstream_url": "ftp://models"}, "needs upstream_url"),
        ({"engine": "magic"}, "engine"),
        ({"max_n": 9, "max_in_flight": 8}, "max_n must not exceed max_in_flight"),
        ({"deadline_s": 0}, "deadline_s"),
        ({"idle_versions": -1}, "idle_versions"),
    ],
)
def test_policy_settings_that_cannot_work_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PolicySettings(**values)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEYS", "UPSTREAM_URL", "UPSTREAM_API_KEY", "VERSION"):
        monkeypatch.setenv(f"TRUSTVQA_POLICY_{name}", "")
    settings = PolicySettings()
    assert settings.api_keys is None
    assert settings.upstream_url is None
    assert settings.upstream_api_key is None
    assert settings.version is None


def test_secrets_are_not_printed() -> None:
    assert "correct horse" not in repr(PolicySettings(upstream_api_key="correct horse battery"))


@pytest.mark.parametrize("name", ["TRUSTVQA_POLICY_UPSTREAM_API_KEY", "trustvqa_policy_upstream_api_key"])
def test_a_secret_is_read_from_a_file_of_its_name(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / name).write_text("correct horse battery\n")
    (tmp_path / "secrets" / "of-another").write_text("ignored")
    monkeypatch.setenv("TRUSTVQA_SECRETS", "secrets")
    token = PolicySettings().upstream_api_key
    assert token is not None
    assert token.get_secret_value() == "correct horse battery"
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / name).write_text("of the last directory")
    monkeypatch.setenv("TRUSTVQA_SECRETS", "secrets:more")
    last = PolicySettings().upstream_api_key
    assert last is not None
    assert last.get_secret_value() == "of the last directory"
    monkeypatch.setenv("TRUSTVQA_POLICY_UPSTREAM_API_KEY", "another from the environment")
    over = PolicySettings().upstream_api_key
    assert over is not None
    assert over.get_secret_value() == "another from the environment"


def test_naming_secrets_that_are_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRUSTVQA_SECRETS", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match=r"TRUSTVQA_SECRETS names .*absent"):
        DemoSettings()
