"""compose.pacs.yml: Compose reads it over the stack's file, and what the listener is told is understood."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from services.listener.rules import read_rules
from services.listener.settings import ListenerSettings
from tests.deploy.faults import ROOT

FILE = ROOT / "compose.pacs.yml"
SERVICES = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]


def defaults(text: str) -> str:
    """A value with its variables' defaults put in."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_compose_itself_reads_it() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("there is no docker compose")
    files = ["--file", str(ROOT / "docker-compose.yml"), "--file", str(FILE)]
    command = [docker, "compose", "--project-directory", str(ROOT), *files, "--profile", "pacs", "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COMPOSE_FILE": ""})
    assert (done.returncode, done.stderr) == (0, "")


def test_the_listener_understands_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {name: defaults(value) for name, value in SERVICES["listener"]["environment"].items()}
    monkeypatch.setenv("TRUSTVQA_CONFIG", str(ROOT / "deploy" / "containers.yaml"))
    for name, value in told.items():
        if name.startswith("TRUSTVQA_LISTENER_"):
            assert name.removeprefix("TRUSTVQA_LISTENER_").lower() in ListenerSettings.model_fields
            monkeypatch.setenv(name, value)
    settings = ListenerSettings()
    peers = json.loads(SERVICES["orthanc"]["environment"]["ORTHANC__DICOM_MODALITIES"])
    assert peers == {"trustvqa": [settings.store_aet, "listener", settings.store_port]}
    assert settings.store_callers == {"ORTHANC"}
    assert settings.received.parent == settings.state.parent
    assert settings.pacs_url == "http://orthanc:8042/dicom-web"
    assert f":{settings.port}/health/live" in str(SERVICES["listener"]["healthcheck"]["test"])
    source, target, _ = defaults(SERVICES["listener"]["volumes"][1]).split(":")
    assert str(settings.rules) == target
    assert read_rules(ROOT / source).rules


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_hardened_and_only_of_its_profile(name: str) -> None:
    service = SERVICES[name]
    assert service["profiles"] == ["pacs"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert all(defaults(each).startswith("127.0.0.1:") for each in service.get("ports", ()))
