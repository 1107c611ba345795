"""A trainer service over HTTP whose runs are small scripts that do as they are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from services.trainer.app import trainer_app
from services.trainer.executors.base import Launch
from services.trainer.run_files.records import FOREGROUND, RunRecord
from services.trainer.settings import TrainerSettings
from tests.support.keys import bearer
from tests.support.servers import running
from tests.support.waiting import wait_until

# Says that it has begun, then waits to be told its exit status; SIGTERM ends it as it ends a training run.
SCRIPT = """
import json, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
def stop(*_):
    (folder / "progress.json").write_text(json.dumps({"state": "cancelled", "step": 3}))
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
with (folder / "begun").open("a") as begun:
    begun.write("x")
while not (folder / "go").exists():
    time.sleep(0.02)
sys.exit(int((folder / "go").read_text()))
"""
TRAINING = {
    "policy": "policy-a",
    "version": "policy-b",
    "device": "cpu",
    "train": {"kind": "phantoms", "split": "train", "n": 4, "seed": 1},
    "validation": {"kind": "phantoms", "split": "validation", "n": 4, "seed": 2},
    "rollout": {"num_generations": 2},
    "update": {"max_steps": 4, "learning_rate": 1e-4, "per_device_train_batch_size": 4},
}


def scripted(folder: Path) -> Callable[[RunRecord], Launch]:
    """Launches of the script instead of real work."""
    return lambda run: Launch(run.id, folder / run.id, ("-c", SCRIPT, str(folder / run.id)))


@dataclass
class Service:
    """A running trainer service."""

    http: httpx.Client
    runs: Path

    def post(self, version: str, **request: Any) -> str:
        """Start a training run; its id."""
        reply = self.http.post("/v1/runs", json={"version": version, **request})
        assert reply.status_code == 202, reply.text
        assert reply.headers["Location"] == f"/v1/runs/{reply.json()['id']}"
        return str(reply.json()["id"])

    def get(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/v1/runs/{run_id}").raise_for_status().json()
        return found

    def status(self, run_id: str) -> str:
        return str(self.get(run_id)["status"])

    def wait(self, run_id: str, status: str, deadline_s: float = 60) -> dict[str, Any]:
        wait_until(lambda: self.status(run_id) == status, deadline_s)
        return self.get(run_id)

    def begun(self, run_id: str, times: int = 1) -> bool:
        """Whether a run's process is at work, for the given time, and on record as running."""
        path = self.runs / run_id / "begun"
        return path.exists() and len(path.read_text()) >= times and self.status(run_id) == "running"

    def end(self, run_id: str, exit_code: int = 0, **progress: Any) -> None:
        """Have a run's process end."""
        if progress:
            (self.runs / run_id / "progress.json").write_text(json.dumps(progress))
        (self.runs / run_id / "go.new").write_text(str(exit_code))
        (self.runs / run_id / "go.new").rename(self.runs / run_id / "go")

    def metric(self, name: str) -> float:
        lines = self.http.get("/metrics").text.splitlines()
        return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))


Start = Callable[..., Service]


def make_settings(place: Path, **changes: Any) -> TrainerSettings:
    """Settings of a service with a registry of one version, one configuration and a data directory."""
    version = place / "registry" / "policies" / "policy-a"
    if not version.is_dir():
        version.mkdir(parents=True)
        (version / "config.json").write_text("{}")
        template = {"name": "plain", "version": 1, "role": "guide", "user": "{question} {options}"}
        (version / "prompt.json").write_text(json.dumps(template))
        (place / "configs").mkdir()
        (place / "configs" / "tiny.yaml").write_text(yaml.safe_dump({"training": TRAINING}))
        (place / "data").mkdir()
    values: dict[str, Any] = {
        "runs": place / "runs",
        "registry": place / "registry",
        "shipped": place / "shipped",
        "configs": place / "configs",
        "data": place / "data",
        "default_config": "tiny",
        "downstream_url": "http://127.0.0.1:9/v1",
        "poll_s": 0.05,
    }
    return TrainerSettings(**{**values, **changes})


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a service; it ends with the test, and so do the runs."""
    with ExitStack() as stack:

        def service(*, real: bool = False, during: ExitStack = stack, key: str = "", **changes: Any) -> Service:
            launch = None if real else scripted(tmp_path / "runs")
            url = during.enter_context(running(trainer_app(make_settings(tmp_path, **changes), launch)))
            http = during.enter_context(httpx.Client(base_url=url, timeout=30, headers=bearer(key) if key else {}))
            made = Service(http, tmp_path / "runs")
            during.callback(_end_all, made)
            return made

        yield service


def _end_all(service: Service) -> None:
    if (service.runs / "keep").exists():
        return  # the test goes on with them

    def unfinished() -> list[str]:
        runs = service.http.get("/v1/runs").json()["runs"]
        return [run["id"] for run in runs if run["status"] in ("queued", "running") and run["executor"] != FOREGROUND]

    for run in reversed(unfinished()):
        service.http.post(f"/v1/runs/{run}/cancel")
    wait_until(lambda: not unfinished())
