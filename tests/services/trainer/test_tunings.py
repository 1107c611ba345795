"""A tuning run by API, as its own process: killed, taken up again, followed and published."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from services.trainer.run_files.json_lines import read_lines
from tests.services.common.contrastive.tiny import save_clip
from tests.services.trainer.conftest import Start
from tests.services.trainer.test_event_stream import listening
from tests.support.waiting import wait_until

EPOCHS = 40
pytestmark = pytest.mark.timeout(300)  # processes that import torch on a machine that others keep busy


def request(**changes: Any) -> dict[str, Any]:
    data = {part: {"kind": "phantoms", "split": part, "n": 20, "seed": 1} for part in ("train", "validation")}
    return {"model": "tiny", "version": "tuned", "shots": 2, "epochs": 3, "batch": 4, **data, **changes}


def test_a_killed_tuning_run_is_resumed_followed_and_published(start: Start, tmp_path: Path) -> None:
    save_clip(tmp_path / "shipped" / "tiny")
    service = start(real=True)
    # An epoch takes some 50 ms: many more than a kill that follows the first one's lines needs.
    reply = service.http.post("/v1/tunings", json=request(epochs=EPOCHS))
    assert reply.status_code == 202, reply.text
    run = reply.json()["id"]
    assert run.startswith("tune-")
    lines = service.runs / run / "metrics.jsonl"
    wait_until(lambda: lines.exists() and lines.stat().st_size > 0, 150)
    os.killpg(int(_handle(service.runs / run).split(":")[1]), signal.SIGKILL)
    shown = service.wait(run, "failed", 60)
    assert "Resume the run" in shown["error"]
    assert 1 <= shown["metrics"]["step"] < EPOCHS
    service.http.post(f"/v1/runs/{run}/resume").raise_for_status()
    with listening(service, run) as told:
        seen = [event.data["step"] for event in told if event.event == "step"]
    shown = service.wait(run, "succeeded")
    assert (shown["kind"], shown["resumed"]) == ("calibprompt", 1)
    assert shown["after"]["n"] == shown["before"]["n"] == 20
    steps = [line["step"] for line in read_lines(lines)]
    assert seen == steps == list(range(1, EPOCHS + 1))  # none was gone over again
    assert (tmp_path / "registry" / "contrastive" / "tuned" / "context.safetensors").is_file()
    taken = service.http.post("/v1/tunings", json=request())
    assert (taken.status_code, taken.json()["type"].removeprefix("urn:trustvqa:problem:")) == (409, "version-taken")


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"model": "none"}, 422, "none"),
        ({"model": "../registry"}, 422, "model"),
        ({"shots": 0}, 422, "shots"),
        ({"alpha": 1}, 422, "alpha"),
        ({"train": {"kind": "file", "path": "/etc/passwd"}}, 422, "data directory"),
        ({"steps": 4}, 422, "steps"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_it_waits(
    start: Start, tmp_path: Path, changes: dict[str, Any], status: int, word: str
) -> None:
    (tmp_path / "shipped" / "tiny").mkdir(parents=True)
    (tmp_path / "shipped" / "tiny" / "config.json").write_text('{"model_type": "clip"}')
    service = start()
    reply = service.http.post("/v1/tunings", json=request(**changes))
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert word in reply.text
    assert service.http.get("/v1/runs").json()["runs"] == []


def test_two_unfinished_runs_cannot_make_one_version(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shipped" / "tiny").mkdir(parents=True)
    (tmp_path / "shipped" / "tiny" / "config.json").write_text('{"model_type": "clip"}')
    service = start()
    first = service.http.post("/v1/tunings", json=request()).raise_for_status().json()["id"]
    second = service.http.post("/v1/tunings", json=request())
    assert (second.status_code, second.json()["run"]) == (409, first)


def _handle(folder: Path) -> str:
    import json

    return str(json.loads((folder / "run.json").read_text())["handle"])
