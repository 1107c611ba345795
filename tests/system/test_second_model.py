"""A second model's opinion, from the commands that fit evidence to an answer that rests on it: real models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.datasets.phantoms import generate
from tests.system.conftest import ROOT, TRUSTVQA, Stack
from tests.system.own_gateway import OwnGateway
from tests.system.own_service import OwnService

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]

METHOD, SECOND = "cgp+second-model", "downstream-mini-2"
N = 60


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnService]:
    """The other downstream miniature, in a service of its own."""
    folder = tmp_path_factory.mktemp("second")
    own = OwnService("downstream", folder, {"MODEL_PATH": str(ROOT / "models" / SECOND), "MODEL": SECOND})
    own.start()
    try:
        yield own
    finally:
        own.stop(signal.SIGKILL)


def test_a_calibrator_of_both_models_is_fitted_and_the_gateway_answers_by_it(
    stack: Stack, second: OwnService, tmp_path: Path
) -> None:
    data = generate(tmp_path / "data", N, seed=5, split="calibration")
    settings = {
        "METHODS": json.dumps([METHOD]),
        "SECOND_DOWNSTREAM_URL": f"{second.url}/v1",
        "SECOND_DOWNSTREAM_MODEL": SECOND,
    }
    gateway = OwnGateway(stack, tmp_path / "gateway", settings=settings)
    command = [
        *(TRUSTVQA, "calibrate", "--data", data, "--methods", METHOD, "--family", "several-signal"),
        *("--downstream-url", f"{stack.url('downstream')}/v1", "--policy-url", stack.url("policy")),
        *("--second-url", f"{second.url}/v1", "--second-model", SECOND),
        *("--registry", gateway.registry, "--out", tmp_path / "run", "--resamples", "20"),
    ]
    subprocess.run([str(each) for each in command], cwd=tmp_path, env=dict(os.environ), check=True, timeout=200)
    [artifact] = (CalibratorArtifact.load(path) for path in (gateway.registry / "calibrators").glob("*.json"))
    assert artifact.key.answer_template == f"answer-compact@1, second opinion of {SECOND}"
    rows = [json.loads(line) for line in (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()]
    opinions = [row["signals"]["second_opinion"] for row in rows if row["confidence"] is not None]
    assert len(opinions) > N / 2
    assert min(opinions) < 0.3 < 0.9 < max(opinions)  # they differ on some questions, and not on most

    gateway.start()
    try:
        reply = gateway.ask(METHOD)
        assert reply["models"]["second_downstream"] == SECOND
        assert reply["calibration"]["calibrator"] == artifact.name
        assert reply["degraded"] == []
        second.stop(signal.SIGKILL)
        alone = gateway.ask(METHOD)
        assert alone["degraded"] == ["second-look"]
        assert "second_downstream" not in alone["models"]
        assert "-cgp-logprob-" in alone["calibration"]["calibrator"]  # the shipped evidence of one model
    finally:
        gateway.stop(signal.SIGKILL)
