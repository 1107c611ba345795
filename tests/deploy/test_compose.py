"""docker-compose.yml and compose.gpu.yml hold together, and the checks that say so notice when they do not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from deploy.example import with_section
from tests.deploy.compose import Stack, read, variables
from tests.deploy.faults import ALL_SETTINGS, ROOT, faults, settings_of, unknown_settings

BASE, GPU, PACS = ROOT / "docker-compose.yml", ROOT / "compose.gpu.yml", ROOT / "compose.pacs.yml"
EXAMPLE = ROOT / ".env.example"
STACKS = {"cpu": (BASE,), "gpu": (BASE, GPU)}
ARCHIVE = (BASE, PACS)
# An image of others that starts as root and writes where it likes, and a listener whose rules are a file.
ACCEPTED = {
    "orthanc: runs as root",
    "orthanc: lacks read_only",
    "orthanc: lacks a tmpfs at /tmp",
    "orthanc: lacks a health check",
    "orthanc: nobody knows the image orthancteam/orthanc",
    "listener: ./configs/listener/rules.example.yaml is no directory",
    "listener: nothing looks into /etc/trustvqa/rules.yaml",
}


@pytest.mark.parametrize("files", STACKS.values(), ids=STACKS)
def test_the_stack_holds_together(files: tuple[Path, ...]) -> None:
    assert faults(read(*files)) == []


def test_the_archive_and_the_listener_stand_beside_a_stack_that_holds_together() -> None:
    assert {
        each for each in faults(read(*ARCHIVE)) if "urlopen('http://127.0.0.1:8084/health/live'" not in each
    } == ACCEPTED


@pytest.mark.parametrize("files", STACKS.values(), ids=STACKS)
def test_compose_itself_reads_it(files: tuple[Path, ...], tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("there is no docker compose")

    def config(*paths: Path) -> subprocess.CompletedProcess[str]:
        named = [argument for path in paths for argument in ("--file", str(path))]
        command = [docker, "compose", "--project-directory", str(ROOT), *named, "--profile", "*", "config", "--quiet"]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COMPOSE_FILE": ""})

    done = config(*files)
    assert (done.returncode, done.stderr) == (0, "")
    misspelt = tmp_path / "misspelt.yml"
    misspelt.write_text("services: {gateway: {mem_limt: 1g}}\n")
    assert "mem_limt" in config(*files, misspelt).stderr


@pytest.fixture(scope="module")
def sound() -> dict[str, Any]:
    return read(BASE)


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set what a path of keys leads to; None takes it away."""

    def apply(stack: dict[str, Any]) -> None:
        *way, last = path.split("/")
        place: Any = stack
        for key in way:
            place = place[int(key) if isinstance(place, list) else key]
        if value is None:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("services/gateway/mem_limt", "1g", "services.gateway.mem_limt: Extra inputs"),
        ("services/policy/healthcheck/intervall", "5s", "Extra inputs"),
        ("netwroks", {}, "netwroks: Extra inputs"),
        ("services/gateway/environment/TRUSTVQA_GATEWAY_POLICY_ULR", "http://policy:8081", "is no setting"),
        ("services/gateway/environment/TRUSTVQA_GATEWAY_MAX_IN_FLIGHT", "none", "its settings are refused"),
        ("services/policy/environment/TRUSTVQA_GATEWAY_PORT", "8080", "is another service's"),
        ("services/policy/environment/TRUSTVQA_POLICY_HOST", "127.0.0.1", "where no other container reaches it"),
        ("services/gateway/environment/TRUSTVQA_GATEWAY_POLICY_URL", "http://polcy:8081", "names polcy, which"),
        ("services/gateway/environment/TRUSTVQA_GATEWAY_POLICY_URL", "http://policy:8091", "port 8091 of policy"),
        ("services/gateway/environment/TRUSTVQA_GATEWAY_REGISTRY", "/srv/registry", "lies on no volume"),
        ("services/gateway/environment/TRUSTVQA_SECRETS", "/run/secrets", "TRUSTVQA_SECRETS names no mount"),
        ("services/trainer/environment/TRUSTVQA_SECRETS", "/run/secrets/trustvqa:/run/stack", "names no mount"),
        ("services/gateway/environment/TRUSTVQA_GATEWAY_API_KEYS", None, "would not start: it has no keys"),
        ("services/policy/environment/TRUSTVQA_POLICY_API_KEYS", None, "asks for no keys"),
        ("services/trainer/environment/TRUSTVQA_TRAINER_API_KEYS", "/run/key/keys.json", "which nobody makes"),
        ("services/trainer/volumes/2", "keys:/run/keys", "may change the keys"),
        ("services/downstream/depends_on/keys", None, "does not wait until there are keys"),
        ("services/prometheus/volumes/2", "metrics-keys:/run/keys:ro", "volume metrics-keys is not defined"),
        ("services/gateway/ports/0", "0.0.0.0:8080:8080", "gateway is published beyond this machine"),
        ("services/gateway/ports/0", "127.0.0.1:8080:80", "leads nowhere"),
        ("services/policy/ports", ["127.0.0.1:8081:8081"], "policy is published"),
        ("services/policy/networks/0", "edge", "policy has a way out: edge"),
        ("services/policy/networks/0", "modles", "network modles is not defined"),
        ("services/trainer/volumes/1", "trainings:/var/lib/trustvqa/training", "volume trainings is not defined"),
        ("services/trainer/volumes/1", "training:/var/lib/trustvqa/trainings", "runs is"),
        ("volumes/registri", {}, "volume registri is used by nobody"),
        ("services/gateway/volumes/4/source", "./deploy/secret/gateway", "./deploy/secret/gateway is no directory"),
        ("services/gateway/depends_on/polcy", {"condition": "service_healthy"}, "depends on polcy"),
        ("services/gateway/depends_on/postgres/required", True, "which only a profile starts"),
        ("services/policy/healthcheck/test/4", "urlopen('http://127.0.0.1:8081/healthz')", "nothing answers"),
        ("services/policy/healthcheck/test/4", "urlopen('http://127.0.0.1:8082/health/ready')", "nothing answers"),
        ("services/policy/healthcheck", None, "waits for the health of policy, which has no check"),
        ("services/policy/build/target", "polcy", "no target polcy"),
        ("services/policy/build/target", "downstream", "starts another service"),
        ("services/policy/build/args", {"TORCH_INDX": ""}, "no argument TORCH_INDX"),
        ("services/grafana/image", "grafana/grafana:latest", "has no version"),
        ("services/trainer/user", "0:0", "runs as root"),
        ("services/trainer/user", "1000:1000", "whom the volumes belong to"),
        ("services/trainer/read_only", False, "lacks read_only"),
        ("services/trainer/cap_drop", ["NET_RAW"], "lacks cap_drop: ALL"),
        ("services/trainer/security_opt", [], "lacks no-new-privileges"),
        ("services/trainer/mem_limit", None, "lacks mem_limit"),
        ("services/trainer/pids_limit", None, "lacks pids_limit"),
        ("services/trainer/restart", "no", "lacks restart"),
        ("services/trainer/tmpfs", [], "lacks a tmpfs"),
        ("services/trainer/init", False, "lacks init"),
    ],
)
def test_a_mistake_is_found(sound: dict[str, Any], path: str, value: Any, says: str) -> None:
    stack = deepcopy(sound)
    change(path, value)(stack)
    assert any(says in fault for fault in faults(stack)), faults(stack)


def example() -> dict[str, str]:
    """The variables of .env.example, with the values that it shows."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    return dict(match.groups() for line in lines if (match := re.fullmatch(r"#([A-Z_]+)=(.*)", line)))  # type: ignore[misc]


def test_every_variable_of_the_compose_files_is_explained_with_its_default() -> None:
    used = variables(BASE, GPU)
    shown = example()
    assert used.keys() == {name for name in shown if not name.startswith("TRUSTVQA_")}
    for name, defaults in used.items():
        assert shown[name] in defaults, f"{name}: .env.example shows {shown[name]!r}, the files have {defaults}"
    # Nothing is set by copying the file: what is in force is what the compose files say.
    assert all(not line or line.startswith("#") for line in EXAMPLE.read_text(encoding="utf-8").splitlines())


def test_every_setting_of_the_example_is_one_and_takes_the_value_shown() -> None:
    shown = example()
    assert unknown_settings(shown) == []
    for name in ALL_SETTINGS:
        settings_of(name, shown)
    assert unknown_settings({"TRUSTVQA_GATEWAY_MAXRISK": "0.1"}) == ["TRUSTVQA_GATEWAY_MAXRISK"]


def test_every_setting_of_every_service_is_explained() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert text == with_section(text), "python -m deploy.example writes it anew"
    explained = set(re.findall(r"^#(TRUSTVQA_[A-Z_]+)", text, re.MULTILINE))
    settings = {
        f"TRUSTVQA_{name.upper()}_{field.upper()}" for name in ALL_SETTINGS for field in ALL_SETTINGS[name].model_fields
    }
    assert explained == settings
    described = [field for each in ALL_SETTINGS.values() for field in each.model_fields.values()]
    assert all(field.description for field in described)


def test_each_container_sees_its_own_secrets_and_no_other_s() -> None:
    for files in STACKS.values():
        stack = Stack.model_validate(read(*files))
        seen = [
            source
            for service in stack.services.values()
            for source, _ in service.mounts().values()
            if "secrets" in source
        ]
        assert len(seen) == len(set(seen))
        assert all(not may for service in stack.services.values() for s, may in service.mounts().values() if s in seen)


def test_secrets_are_never_tracked() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    tracked = subprocess.run(["git", "ls-files", "deploy/secrets", ".env"], cwd=ROOT, capture_output=True, text=True)
    assert {Path(line).name for line in tracked.stdout.split()} <= {".gitkeep"}
    ignored = ["deploy/secrets/gateway/TRUSTVQA_GATEWAY_DOWNSTREAM_API_KEY", ".env", "wheels/torch-1.whl"]
    check = subprocess.run(["git", "check-ignore", *ignored], cwd=ROOT, capture_output=True, text=True)
    assert check.stdout.split() == ignored
