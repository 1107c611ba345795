"""Runs over HTTP: their queue, their states, their lists, and a service that is restarted under them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.trainer.errors import TransitionError
from services.trainer.executors.process_identity import identify
from services.trainer.run_files.records import FOREGROUND, RunRecord, RunStore
from services.trainer.supervision.foreground import Foreground
from tests.services.trainer.conftest import Start
from tests.support.waiting import wait_until


def test_a_run_is_started_watched_and_accounted_for(start: Start) -> None:
    service = start()
    run = service.post("policy-b", seed=5, steps=6, reward="brier", overrides={"update.learning_rate": 1e-3})
    wait_until(lambda: service.begun(run))
    shown = service.wait(run, "running")
    assert (shown["kind"], shown["executor"], shown["resumed"], shown["position"]) == ("training", "process", 0, None)
    assert shown["request"]["seed"] == 5
    assert "handle" not in shown
    spec = json.loads((service.runs / run / "config.json").read_text())
    assert (spec["config"]["update"]["max_steps"], spec["config"]["update"]["learning_rate"]) == (6, 1e-3)
    assert (spec["config"]["seed"], spec["config"]["reward"], spec["config"]["policy"]) == (5, "brier", "policy-a")

    service.end(run, 0, state="succeeded", step=6, steps=6)
    shown = service.wait(run, "succeeded")
    assert (shown["error"], shown["progress"]["step"], shown["resumable"]) == (None, 6, False)
    assert shown["created"] <= shown["started"] <= shown["ended"]
    wait_until(lambda: service.metric('trainer_runs{state="succeeded"}') == 1)
    assert service.metric('trainer_runs{state="running"}') == 0
    for action in ("cancel", "resume"):
        reply = service.http.post(f"/v1/runs/{run}/{action}")
        assert reply.status_code == 409
        assert "is succeeded" in reply.json()["detail"]


def test_a_run_that_fails_says_why(start: Start) -> None:
    service = start()
    runs = {}
    for name, (code, progress) in {
        "told": (1, {"state": "failed", "error": "the disk is full"}),
        "silent": (7, {"state": "running", "step": 1}),
    }.items():
        runs[name] = service.post(f"policy-{name}")
        wait_until(lambda name=name: service.begun(runs[name]))  # type: ignore[misc]
        service.end(runs[name], code, **progress)  # type: ignore[arg-type]
    assert service.wait(runs["told"], "failed")["error"] == "the disk is full"
    assert "ended with status 7" in service.wait(runs["silent"], "failed")["error"]
    killed = service.post("policy-killed")
    wait_until(lambda: service.begun(killed))
    record = RunStore(service.runs).read(killed)
    os.kill(int((record.handle or "").split(":")[1]), signal.SIGKILL)
    assert "signal 9" in service.wait(killed, "failed")["error"]


def test_the_queue_keeps_its_order_and_its_bound(start: Start) -> None:
    service = start(max_waiting=3)
    first, second, third, fourth = (service.post(f"policy-{n}") for n in range(4))
    wait_until(lambda: service.begun(first))
    assert [service.get(run)["position"] for run in (first, second, third, fourth)] == [None, 1, 2, 3]
    wait_until(lambda: service.metric("trainer_queue_length") == 3)
    reply = service.http.post("/v1/runs", json={"version": "policy-x"})
    assert reply.status_code == 429
    assert int(reply.headers["Retry-After"]) >= 1

    assert service.http.post(f"/v1/runs/{third}/cancel").json()["status"] == "cancelled"
    assert service.get(fourth)["position"] == 2
    service.post("policy-x")
    service.end(first)
    wait_until(lambda: service.begun(second))
    assert not service.begun(fourth)
    service.end(second)
    wait_until(lambda: service.begun(fourth))
    assert not service.begun(third)
    started = [service.get(run)["started"] for run in (first, second, fourth)]
    assert started == sorted(started)


def test_as_many_runs_work_at_once_as_there_are_slots(start: Start) -> None:
    service = start(slots=2)
    first, second, third = (service.post(f"policy-{n}") for n in range(3))
    wait_until(lambda: service.begun(first) and service.begun(second))
    assert service.status(third) == "queued"


def test_a_cancelled_run_can_be_resumed(start: Start) -> None:
    service = start()
    run = service.post("policy-b")
    wait_until(lambda: service.begun(run))
    reply = service.http.post(f"/v1/runs/{run}/cancel")
    assert reply.status_code == 202
    shown = service.wait(run, "cancelled")
    assert (shown["cancelling"], shown["resumable"], shown["progress"]["step"]) == (False, True, 3)

    assert service.http.post(f"/v1/runs/{run}/resume").status_code == 202
    wait_until(lambda: service.begun(run, times=2))
    shown = service.wait(run, "running")
    assert (shown["resumed"], shown["ended"]) == (1, None)
    # The last attempt's end is not this one's: its process vanishes, and nothing says "cancelled".
    assert shown["progress"]["state"] == "queued"
    service.end(run, 0)
    assert service.wait(run, "succeeded")["resumed"] == 1


def test_cancelling_ends_what_ignores_it(start: Start) -> None:
    service = start(cancel_grace_s=1)
    run = service.post("policy-b")
    wait_until(lambda: service.begun(run))
    pid = int((RunStore(service.runs).read(run).handle or "").split(":")[1])
    stubborn = subprocess.Popen(
        [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(600)"],
        env={**os.environ, "TRUSTVQA_RUN": str(service.runs / run), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert stubborn.stdout is not None
    with stubborn, stubborn.stdout:
        stubborn.stdout.readline()
        service.http.post(f"/v1/runs/{run}/cancel")
        service.wait(run, "cancelled")
        assert stubborn.wait(30) == -signal.SIGKILL
    assert not psutil.pid_exists(pid)


# --- Restarts ---------------------------------------------------------------------------------------------------------


def test_a_restart_loses_nothing(start: Start) -> None:
    with ExitStack() as first_life:
        service = start(during=first_life)
        at_work = service.post("policy-1")
        wait_until(lambda: service.begun(at_work))
        waiting = [service.post(f"policy-{n}") for n in (2, 3)]
        service.wait(at_work, "running")
        (service.runs / "keep").touch()
    handle = RunStore(service.runs).read(at_work).handle or ""
    assert psutil.pid_exists(int(handle.split(":")[1]))
    (service.runs / "keep").unlink()

    service = start()
    assert service.status(at_work) == "running"
    assert [service.get(run)["position"] for run in waiting] == [1, 2]
    service.end(at_work, 0, state="succeeded")
    assert service.wait(at_work, "succeeded")["error"] is None
    wait_until(lambda: service.begun(waiting[0]))
    assert not service.begun(waiting[1])
    assert len((service.runs / at_work / "begun").read_text()) == 1


def write_record(runs: Path, name: str, **fields: Any) -> None:
    values = {"id": name, "kind": "training", "status": "succeeded", "created": "2026-01-02T03:04:05Z", **fields}
    RunStore(runs).create(RunRecord.model_validate(values))


@pytest.mark.parametrize(
    ("progress", "status", "says"),
    [
        ({"state": "succeeded"}, "succeeded", None),
        ({"state": "failed", "error": "the registry is full"}, "failed", "the registry is full"),
        ({"state": "running", "step": 2}, "failed", "ended without a word"),
        ({}, "failed", "ended without a word"),
    ],
)
def test_runs_that_ended_while_the_service_was_away(
    start: Start, tmp_path: Path, progress: dict[str, Any], status: str, says: str | None
) -> None:
    gone = f"{identify(os.getpid()).rsplit(':', 1)[0]}:1.00:{tmp_path}"
    write_record(tmp_path / "runs", "run-1", status="running", executor="process", handle=gone)
    if progress:
        (tmp_path / "runs" / "run-1" / "progress.json").write_text(json.dumps(progress))
    shown = start().wait("run-1", status)
    assert (says is None) == (shown["error"] is None)
    assert says is None or says in shown["error"]


# --- Runs of commands in a terminal -----------------------------------------------------------------------------------


def test_a_commands_run_is_listed_and_its_death_is_noticed(start: Start, tmp_path: Path) -> None:
    service = start()
    store, now = RunStore(service.runs), datetime.now(UTC)
    (service.runs / "mine").mkdir(parents=True)
    mine = Foreground(service.runs / "mine")
    mine.begin({"version": "policy-m"})
    assert service.get("mine")["executor"] == FOREGROUND
    assert service.status("mine") == "running"
    reply = service.http.post("/v1/runs/mine/cancel")
    assert reply.status_code == 409
    assert "Ctrl-C" in reply.json()["detail"]
    with pytest.raises(TransitionError, match="is running"):
        Foreground(service.runs / "mine").begin({})
    mine.end("failed", "the disk is full")
    assert service.get("mine")["error"] == "the disk is full"
    Foreground(service.runs / "mine").begin({})
    assert service.get("mine")["resumed"] == 1

    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = RunRecord(
        id="theirs",
        kind="training",
        status="running",
        created=now,
        executor=FOREGROUND,
        handle=identify(child.pid),
    )
    store.create(record)
    assert service.status("theirs") == "running"
    child.kill()
    child.communicate()
    shown = service.get("theirs")
    assert (shown["status"], shown["resumable"]) == ("failed", True)
    assert "ended without a word" in shown["error"]
    elsewhere = record.with_(id="elsewhere", handle="another-machine:1:2.00")
    store.create(elsewhere)
    assert service.status("elsewhere") == "running"
    Foreground(service.runs / "mine").end("succeeded")  # not its own any more: nothing happens
    assert service.status("mine") == "running"


# --- Lists ------------------------------------------------------------------------------------------------------------


def test_runs_are_listed_the_newest_first_page_by_page(start: Start, tmp_path: Path) -> None:
    service = start()
    assert service.http.get("/v1/runs").json() == {"runs": [], "next_cursor": None}
    for day in range(1, 6):
        write_record(service.runs, f"run-{day}", created=f"2026-01-0{day}T00:00:00Z")
    (service.runs / "run-bad").mkdir()
    (service.runs / "run-bad" / "run.json").write_text('{"status": "levitating"}')
    (service.runs / "an-evaluation").mkdir()
    (service.runs / "an-evaluation" / "run.json").write_text('{"data_hash": "of a command\'s own record"}')
    (service.runs / "run-none").mkdir()
    pages, cursor = [], None
    for _ in range(3):
        page = service.http.get("/v1/runs", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        pages.append([run["id"] for run in page["runs"]])
        cursor = page["next_cursor"]
    assert pages == [["run-5", "run-4"], ["run-3", "run-2"], ["run-1"]]
    assert cursor is None


def test_figures_and_samples_are_shown(start: Start) -> None:
    service = start()
    write_record(service.runs, "run-1")
    folder = service.runs / "run-1"
    (folder / "metrics.jsonl").write_text('{"step": 1, "reward": -2.0}\n{"step": 2, "reward": -1.5}\n{"step": 3, "re')
    rewards = ((0, -3.0), (2, -1.0), (4, -2.0))
    lines = [{"step": step, "metrics": {"reward": {"value": value}}} for step, value in rewards]
    (folder / "evaluations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "samples.jsonl").write_text("".join(f'{{"step": {n}, "guidance": "look"}}\n' for n in range(30)))
    shown = service.get("run-1")
    assert shown["metrics"] == {"step": 2, "reward": -1.5}
    assert (shown["before"]["step"], shown["after"]["step"]) == (0, 2)
    samples = service.http.get("/v1/runs/run-1/samples", params={"limit": 3}).json()["samples"]
    assert [sample["step"] for sample in samples] == [27, 28, 29]
    assert len(service.http.get("/v1/runs/run-1/samples").json()["samples"]) == 20
