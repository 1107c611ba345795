"""The images as they were built: what they weigh, what is in them and what is not, and what they were built of."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.sizes import BASE, size_of
from tests.deploy.conftest import TAG, why_not
from tests.deploy.faults import ROOT, SETTINGS

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("deploy"), pytest.mark.timeout(180)]

# Of these about 160 are what hospitals speak: DICOM, reports, FHIR, archives, signatures of tokens.
GATEWAY_MB = 480
# What a base image brings along, and the project itself.
OTHERS = {"pip", "setuptools", "wheel", "trustvqa"}


@pytest.fixture(autouse=True)
def _images() -> None:
    if reason := why_not():
        pytest.skip(reason)


def run(service: str, *command: str, user: str = "10001") -> str:
    """Run a command in an image, with no network."""
    image, program, *arguments = f"trustvqa/{service}:{TAG}", *command
    docker = ["docker", "run", "--rm", "--network", "none", "--user", user, "--entrypoint", program, image, *arguments]
    return subprocess.run(docker, capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_gateway_s_image_keeps_within_its_budget() -> None:
    over = {service: (size_of(f"trustvqa/{service}:{TAG}") - size_of(BASE)) / 1e6 for service in SETTINGS}
    assert over["gateway"] <= GATEWAY_MB
    # Packages that the images share lie in shared layers: none has them twice.
    assert over["policy"] == over["downstream"] < over["trainer"]


_INSTALLED = """
import json
from importlib.metadata import distributions
installed = distributions(path=["/usr/local/lib/python3.11/site-packages"])
print(json.dumps({each.metadata["Name"]: each.version for each in installed}))
"""


@pytest.mark.parametrize("service", ["gateway", "trainer"])
def test_every_package_has_the_version_that_the_constraints_name(service: str) -> None:
    """The two images' packages; policy and downstream have a part of the trainer's, in the same layers."""
    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    pins = {_normal(name): version for name, version in pinned.items()}
    installed = json.loads(run(service, "python", "-c", _INSTALLED))
    found = {_normal(name): version.partition("+")[0] for name, version in installed.items()}
    assert len(found) > 30
    assert {name for name, version in found.items() if pins.get(name) != version} <= OTHERS
    if service == "trainer":
        assert found["setuptools"] == pins["setuptools"]  # which torch asks for, in a newer version than the base's


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("service", SETTINGS)
def test_no_image_holds_what_it_was_built_with(service: str) -> None:
    looked = "find / -xdev ( -name uv -o -path */.cache/* -o -name gcc -o -name *.whl -o -path /tools/* ) -type f"
    left = [line for line in run(service, *looked.split(), user="0").split() if "/ensurepip/_bundled/" not in line]
    assert left == []


def test_all_byte_code_is_there_that_the_services_would_miss() -> None:
    program = (
        "import os, sys, services.gateway.app\n"
        "made = [each.__cached__ for each in list(sys.modules.values()) if getattr(each, '__cached__', None)]\n"
        "print(len(made), *(path for path in made if not os.path.exists(path)))"
    )
    count, *missing = run("gateway", "python", "-c", program).split()
    assert int(count) > 500
    # The base's own library has none in some builds of the base.
    assert [path for path in missing if "/site-packages/" in path or path.startswith("/app/")] == []


@pytest.mark.parametrize("service", SETTINGS)
def test_labels_say_what_an_image_is(service: str) -> None:
    done = subprocess.run(
        ["docker", "image", "inspect", f"trustvqa/{service}:{TAG}"], capture_output=True, text=True, check=True
    )
    config: dict[str, Any] = json.loads(done.stdout)[0]["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["title"] == f"TrustVQA {service}"
    assert {"description", "version", "licenses", "revision"} <= labels.keys()
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert config["Healthcheck"]["Test"][0] == "CMD"


def test_nothing_goes_in_that_git_does_not_know(tmp_path: Path) -> None:
    """The build context, by the engine's own reading of .dockerignore: a clean clone would send the same."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    sent = tmp_path / "sent"
    subprocess.run(
        ["docker", "build", "--quiet", "--file", str(dockerfile), "--output", f"type=local,dest={sent}", str(ROOT)],
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    known = set(listed.stdout.split("\0"))
    found = {path.relative_to(sent).as_posix() for path in sent.rglob("*") if path.is_file()}
    assert len(found) > 200
    # torch's wheel is looked at by one step, and is the one that constraints.txt names.
    assert {name for name in found - known if not re.fullmatch(r"wheels/torch-[\w.+-]+\.whl", name)} == set()
    assert not {name for name in found if name.startswith(("tests/", "docs/", "deploy/secrets", ".env"))}
