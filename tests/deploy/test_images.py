"""The Dockerfile, before anything is built."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from deploy.requirements import EXTRAS, FITTING, requirements
from services.common.settings import ServiceSettings
from tests.deploy.faults import CONFIG, ROOT, SETTINGS, settings_of, stages

PYPROJECT = ROOT / "pyproject.toml"
SERVICES = tuple(sorted(SETTINGS))
_WITHOUT = """
import sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import numpy as np
from prompt4trust.calibration.artifact import CalibratorArtifact
from prompt4trust.calibration.several_signal import SIGNALS
from services.gateway.app import create_gateway
from services.gateway.settings import GatewaySettings

create_gateway(GatewaySettings())
shipped = [CalibratorArtifact.load(path) for path in Path("models/calibrators").glob("*.json")]
signals = {{name: np.array([0.6]) for name in SIGNALS}}
assert shipped and all(0 <= each.calibrator().apply([0.7], signals)[0] <= 1 for each in shipped)
"""


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_what_it_is_and_how_it_is_run(service: str) -> None:
    stage = stages()[service]
    labels = " ".join(stage["LABEL"])
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    for label in ("title", "description", "revision"):
        assert f"org.opencontainers.image.{label}=" in labels
    assert f'image.version="{project["version"]}"' in labels
    assert f'image.licenses="{project["license"]}"' in labels
    assert json.loads(stage["ENTRYPOINT"][-1]) == ["python", "-m", f"services.{service}"]
    assert stage["USER"] == ["10001:10001"]
    assert stage["STOPSIGNAL"] == ["SIGTERM"]
    settings = settings_of(service, {})
    assert stage["EXPOSE"] == [str(settings.port)]
    check = stage["HEALTHCHECK"][-1].partition("CMD ")[2]
    assert f"http://127.0.0.1:{settings.port}/health/live" in json.loads(check)[-1]
    assert "TRUSTVQA_CONFIG=/app/deploy/containers.yaml" in " ".join(stage["ENV"])


def test_the_gateway_has_no_torch_and_what_fits_no_calibrators() -> None:
    gateway = requirements(PYPROJECT, "gateway")
    assert not {"torch", "transformers"} & set(gateway)
    assert not FITTING & set(gateway)
    assert set(requirements(PYPROJECT, "engine")) >= FITTING
    # What the trainer's image lays over the engine's, and that over the gateway's.
    assert set(gateway) < set(requirements(PYPROJECT, "engine")) < set(requirements(PYPROJECT, "trainer"))


def test_the_gateway_starts_without_what_its_image_lacks() -> None:
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    absent = {"sklearn", "venn_abers", "pandas", "joblib", *(set(extras["engine"]) | set(extras["train"]))}
    program = _WITHOUT.format(absent=sorted(absent))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_image_s_extras_exist() -> None:
    for image in EXTRAS:
        assert requirements(PYPROJECT, image)
    with pytest.raises(KeyError):
        requirements(PYPROJECT, "polcy")


def test_the_images_configuration_names_what_they_hold() -> None:
    sections = yaml.safe_load(CONFIG.read_text())
    assert set(sections) == {*SETTINGS, "common"}
    copied = " ".join(stages()["code"]["COPY"] + stages()["assets"]["COPY"])
    for service in SERVICES:
        settings: ServiceSettings = settings_of(service, {})
        for field in ("shipped", "configs", "model_path"):
            named = Path(getattr(settings, field, "/app"))
            if named != Path("/app"):
                inside = named.relative_to("/app")
                assert (ROOT / inside).is_dir()
                assert f"/files/{inside.parts[0]}" in copied


@pytest.mark.parametrize("service", SERVICES)
def test_containers_are_told_what_make_up_tells_but_for_where_things_are(service: str) -> None:
    embedded = yaml.safe_load((ROOT / "configs" / "embedded.yaml").read_text())[service]
    contained = yaml.safe_load(CONFIG.read_text())[service]
    places = {"host", "port", "registry", "shipped", "policy_url", "downstream_url", "model_path"}
    places |= {"records_url", "configs", "runs", "data"}
    assert {key: contained[key] for key in contained if key not in places} == {
        key: embedded[key] for key in embedded if key not in places
    }


def test_only_what_images_hold_is_sent_to_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    for rule in rules:
        if rule.startswith("!"):
            assert (ROOT / rule[1:]).exists(), rule
    assert not {"!deploy", "!deploy/secrets", "!.env", "!.git", "!var"} & set(rules)


def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    command = str(hadolint) if hadolint.exists() else shutil.which("hadolint")
    if command is None:
        pytest.skip("there is no hadolint")
    done = subprocess.run([command, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    poor = tmp_path / "Dockerfile"
    poor.write_text("FROM python\nRUN pip install numpy\n")
    assert subprocess.run([command, str(poor)], capture_output=True).returncode != 0
