"""`trustvqa runs` at a real trainer service whose runs do as they are told."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from services.trainer.run_files.events import EventLog
from tests.services.trainer.conftest import Start, start  # noqa: F401 - a fixture
from tests.support.servers import free_port
from tests.support.waiting import wait_until
from tests.trustvqa.cli.commands import run_command


@pytest.fixture(autouse=True)
def quiet_service() -> Iterator[None]:
    """The service runs in this process, whose standard output is the command's."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def test_runs_are_listed_shown_cancelled_resumed_and_followed_to_their_end(start: Start, tmp_path: Path) -> None:  # noqa: F811
    service = start()
    there = ("--trainer", str(service.http.base_url))
    assert run_command(tmp_path, "runs", "list", *there)[0] == "there are no runs\n"
    first, second = service.post("policy-b"), service.post("policy-c")
    wait_until(lambda: service.begun(first))

    listed, _ = run_command(tmp_path, "runs", "list", *there)
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [
        [second, "training", "queued,"],
        [first, "training", "running"],
    ]
    assert "queued, number 1 in the queue" in listed
    as_json = json.loads(run_command(tmp_path, "runs", "list", "--json", "--limit", "1", *there)[0])
    assert [each["id"] for each in as_json] == [second]
    assert "running" in run_command(tmp_path, "runs", "show", first, *there)[0]
    assert json.loads(run_command(tmp_path, "runs", "show", first, "--json", *there)[0]) == service.get(first)

    assert run_command(tmp_path, "runs", "cancel", second, *there)[0] == f"{second}: cancelled\n"
    assert "number 1 in the queue" in run_command(tmp_path, "runs", "resume", second, *there)[0]
    assert json.loads(run_command(tmp_path, "runs", "cancel", second, "--json", *there)[0])["status"] == "cancelled"

    events = EventLog(service.runs / first)
    events.write("step", step=1, loss=0.25)
    followed: list[str] = []
    listener = threading.Thread(
        target=lambda: followed.append(run_command(tmp_path, "runs", "follow", first, *there)[0])
    )
    listener.start()
    wait_until(lambda: service.metric("trainer_event_streams") == 1)
    events.write("step", step=2, loss=0.125)
    service.end(first, 0, state="succeeded", step=2, steps=2)
    listener.join(60)
    lines = followed[0].splitlines()
    steps = [line.partition("  ")[2] for line in lines if "  step  " in line]
    assert steps == ["step  step 1  loss 0.25", "step  step 2  loss 0.125"]
    assert lines[-1].startswith("end  status succeeded")
    each = run_command(tmp_path, "runs", "follow", first, "--json", *there)[0].splitlines()
    assert [json.loads(line)["event"] for line in each][-1] == "end"


def test_what_cannot_be_is_said(start: Start, tmp_path: Path) -> None:  # noqa: F811
    service = start()
    there = ("--trainer", str(service.http.base_url))
    for command in ("show", "cancel", "resume", "follow"):
        name = "20260101-000000-none-0000"
        said = run_command(tmp_path, "runs", command, name, *there, status=1)[1]
        assert f"no such run: {name}" in " ".join(said.split())
        assert run_command(tmp_path, "runs", command, "../../health", *there, status=1)[0] == ""
        assert "is no run's id" in run_command(tmp_path, "runs", command, "..", *there, status=2)[1]
    run = service.post("policy-b")
    wait_until(lambda: service.begun(run))
    service.end(run, 1, state="failed", error="the disk is full")
    service.wait(run, "failed")
    assert run_command(tmp_path, "runs", "follow", run, *there, status=1)[0].endswith("error the disk is full\n")
    assert "is failed" in run_command(tmp_path, "runs", "cancel", run, *there, status=1)[1]
    away = ("--trainer", f"http://127.0.0.1:{free_port()}")
    assert "is it running?" in run_command(tmp_path, "runs", "list", *away, status=1)[1]
