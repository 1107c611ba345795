"""Training under the trainer service: it outlives a killed service; a command's run is on record with the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from services.common.registry.directory import Registry
from services.trainer.executors.process import MARK
from services.trainer.executors.process_identity import marked
from services.trainer.run_files.events import read_events
from services.trainer.run_files.records import FOREGROUND, RunStore
from tests.services.trainer.conftest import Service
from tests.services.trainer.grpo.conftest import BATCH, STEPS, VALIDATION, Configure, Trained
from tests.services.trainer.test_event_stream import listening
from tests.support.models import overconfident
from tests.support.openai_app import Reply, ScriptedServer
from tests.support.servers import free_port, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("grpo")

PATIENCE_S = 200  # processes that import torch on a machine that others keep busy
ROOT = Path(__file__).resolve().parents[4]


@contextmanager
def served(place: Path, **settings: Any) -> Iterator[tuple[Service, subprocess.Popen[bytes]]]:
    """The service as a process of its own, killed at the end unless the test did so already."""
    port = free_port()
    told = {f"TRUSTVQA_TRAINER_{name.upper()}": str(value) for name, value in {**settings, "port": port}.items()}
    with (place / "trainer.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.trainer"],
            cwd=place,
            env={**os.environ, **told, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as http:

            def answers() -> bool:
                assert process.poll() is None, (place / "trainer.log").read_text()
                try:
                    return http.get("/health/live").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(answers, PATIENCE_S)
            yield Service(http, place / "runs"), process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder whose runs are ended, should a failing test leave some at work."""
    yield tmp_path
    for run in (tmp_path / "runs").glob("*/run.json"):
        for process in marked(MARK, str(run.parent)):
            process.kill()


@pytest.mark.timeout(500)
def test_training_goes_on_while_its_service_is_killed_and_started_anew(
    place: Path, registry: Path, configure: Configure
) -> None:
    server = ScriptedServer()
    enough = VALIDATION + 2 * BATCH
    killed: list[bool] = []

    def wait_for_the_kill(prompt: str) -> Reply:
        # From the third step on, the downstream service is busy until the trainer service has been killed.
        return overconfident(prompt) if killed or len(server.prompts) <= enough else 503

    server.script = wait_for_the_kill
    section = configure(version="policy-served", answer={"attempts": 1000, "deadline_s": PATIENCE_S})
    (place / "configs").mkdir()
    (place / "configs" / "tiny.yaml").write_text(yaml.safe_dump({"training": section}))
    with running(server.app) as url:
        settings = {
            "runs": place / "runs",
            "registry": registry,
            "configs": place / "configs",
            "default_config": "tiny",
            "downstream_url": f"{url}/v1",
            "downstream_model": "scripted",
            "poll_s": 0.1,
        }
        with served(place, **settings) as (service, process):
            run = service.post("policy-served", seed=3)
            wait_until(lambda: len(server.prompts) > enough, PATIENCE_S)
            heard = []
            with listening(service, run) as told:
                for event in told:
                    heard.append(event)
                    if event.event == "step" and event.data["step"] == 2:
                        break
            process.send_signal(signal.SIGKILL)
            process.wait()
        handle = RunStore(place / "runs").read(run).handle or ""
        assert psutil.pid_exists(int(handle.split(":")[1]))

        with served(place, **settings) as (service, _):
            assert service.status(run) == "running"
            killed.append(True)
            with listening(service, run, heard[-1].id) as told:
                rest = list(told)
            shown = service.get(run)
            assert service.http.get(f"/v1/runs/{run}/samples").json()["samples"][-1]["guidance"]
    assert (shown["status"], shown["error"], shown["resumed"]) == ("succeeded", None, 0), shown
    assert [event.data["step"] for event in heard if event.event == "step"] == [1, 2]
    assert [event.data["step"] for event in rest if event.event == "step"] == list(range(3, STEPS + 1))
    evaluated = [event.data["step"] for event in (*heard, *rest) if event.event == "evaluation"]
    assert evaluated == [0, 2, 4, 6]
    assert rest[-1].event == "end"
    assert shown["metrics"]["step"] == shown["progress"]["step"] == STEPS
    assert (shown["before"]["step"], shown["after"]["n"]) == (0, VALIDATION)
    assert Registry(registry).policy_path("policy-served").is_dir()


def test_a_commands_run_is_on_record(trained: Trained) -> None:
    record = RunStore(trained.folder.parent).read(trained.folder.name)
    assert (record.kind, record.status, record.executor, record.error) == ("training", "succeeded", FOREGROUND, None)
    assert record.started is not None
    assert record.ended is not None
    assert record.request["version"] == "policy-tiny-grpo"
    events, _ = read_events(trained.folder, 0)
    assert [event.data["status"] for event in events if event.name == "state"] == ["running", "succeeded"]
    assert [event.data["step"] for event in events if event.name == "step"] == list(range(1, STEPS + 1))
    assert [event.data["step"] for event in events if event.name == "evaluation"] == [0, 2, 4, 6]
