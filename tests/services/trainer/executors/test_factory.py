"""Executors by name, and settings that name one which cannot work."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from services.trainer.errors import ExecutorError
from services.trainer.executors.docker_settings import DockerSettings
from services.trainer.executors.factory import Executors
from services.trainer.settings import TrainerSettings


async def test_each_is_made_once_and_the_unknown_is_an_error() -> None:
    executors = Executors(DockerSettings(), None)
    made = executors.get("process")
    assert made is executors.get("process")
    assert made.name == "process"
    assert executors.get("docker").name == "docker"
    with pytest.raises(ExecutorError, match="needs its settings"):
        executors.get("kubernetes")
    with pytest.raises(ExecutorError, match="no executor 'abacus'"):
        executors.get("abacus")
    await executors.close()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"executor": "abacus"}, "executor"),
        ({"executor": "kubernetes"}, "needs its settings"),
        ({"slots": 0}, "slots"),
        ({"default_config": "../secrets"}, "default_config"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TrainerSettings(**values)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEYS", "POLICY_API_KEY", "DOWNSTREAM_API_KEY"):
        monkeypatch.setenv(f"TRUSTVQA_TRAINER_{name}", "")
    settings = TrainerSettings()
    assert settings.api_keys is None
    assert settings.policy_api_key is None
    assert settings.downstream_api_key is None
