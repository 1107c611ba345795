"""A run's events over HTTP: replayed, followed, resumed, kept alive, and let go of."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.trainer.event_stream import follow
from services.trainer.metrics import TrainerMetrics
from services.trainer.run_files.events import EventLog
from services.trainer.run_files.records import RunRecord
from tests.services.trainer.conftest import Service, Start
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Told:
    """A server-sent event."""

    id: str
    event: str
    data: dict[str, Any]


@contextmanager
def listening(service: Service, run: str, last: str | None = None) -> Iterator[Iterator[Told]]:
    """Follow a run; the iterator ends with the stream."""
    headers = {} if last is None else {"Last-Event-ID": last}
    with service.http.stream("GET", f"/v1/runs/{run}/events", headers=headers) as reply:
        assert reply.status_code == 200
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        yield parse(reply.iter_lines())


def parse(lines: Iterator[str]) -> Iterator[Told]:
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield Told(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}


def test_a_run_is_followed_from_its_beginning_to_its_end(start: Start) -> None:
    service = start()
    run = service.post("policy-b")
    wait_until(lambda: service.begun(run))
    log = EventLog(service.runs / run)
    log.write("step", step=1, reward=-1.25)
    with listening(service, run) as told:
        past = [next(told) for _ in range(3)]
        assert [each.event for each in past] == ["state", "state", "step"]
        assert [each.data["status"] for each in past[:2]] == ["queued", "running"]
        assert past[2].data["reward"] == -1.25
        log.write("step", step=2)  # as it comes
        assert next(told).data["step"] == 2
        service.end(run, 0)
        rest = list(told)
    assert [each.event for each in rest] == ["state", "end"]
    assert rest[-1].data["status"] == "succeeded"
    assert len({each.id for each in (*past, *rest)}) == 5

    # Who missed something gets it, and nothing twice.
    with listening(service, run, past[1].id) as told:
        assert [each.event for each in told] == ["step", "step", "state", "end"]
    with listening(service, run, rest[0].id) as told:
        assert [each.event for each in told] == ["end"]
    with listening(service, run, "9" * 15) as told:  # beyond all that a file can hold
        assert [each.event for each in told] == ["end"]
    # Who heard the end is told not to come again.
    reply = service.http.get(f"/v1/runs/{run}/events", headers={"Last-Event-ID": rest[-1].id})
    assert reply.status_code == 204
    assert service.metric("trainer_event_streams") == 0


def test_a_run_that_is_resumed_is_followed_on(start: Start) -> None:
    service = start()
    run = service.post("policy-b")
    wait_until(lambda: service.begun(run))
    service.http.post(f"/v1/runs/{run}/cancel")
    service.wait(run, "cancelled")
    with listening(service, run) as told:
        heard = list(told)
    assert heard[-1].data["status"] == "cancelled"
    service.http.post(f"/v1/runs/{run}/resume")
    wait_until(lambda: service.begun(run, times=2))
    service.end(run, 0)
    with listening(service, run, heard[-1].id) as told:
        rest = list(told)
    assert [each.data["status"] for each in rest] == ["queued", "running", "succeeded", "succeeded"]


async def test_the_last_state_is_sent_before_the_end_however_slow_its_writer_is(tmp_path: Path) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    record = RunRecord(id="run-1", kind="evaluation", status="succeeded", created=now)
    with (tmp_path / ".run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # run.json says the end already, and its event is about to be written

        async def read() -> RunRecord:
            return record

        stream = follow(tmp_path, 0, read, poll_s=0.01, metrics=TrainerMetrics(CollectorRegistry()))
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.2)
        EventLog(tmp_path).write("state", status="succeeded")
    assert [(await first).event, *[each.event async for each in stream]] == ["state", "end"]


def test_a_client_that_hangs_up_costs_nothing(start: Start) -> None:
    service = start(max_streams=2, heartbeat_s=0.1)
    run = service.post("policy-b")
    with listening(service, run) as told, listening(service, run) as other:
        assert next(told).event == next(other).event == "state"
        assert service.metric("trainer_event_streams") == 2
        reply = service.http.get(f"/v1/runs/{run}/events")
        assert reply.status_code == 503
        assert reply.json()["type"].endswith(":too-many-listeners")
        assert "Retry-After" in reply.headers
    wait_until(lambda: service.metric("trainer_event_streams") == 0)


def test_a_quiet_stream_is_kept_alive(start: Start) -> None:
    service = start(heartbeat_s=0.1)
    run = service.post("policy-b")
    with service.http.stream("GET", f"/v1/runs/{run}/events") as reply:
        beats = (line for line in reply.iter_lines() if line.startswith(":"))
        assert [next(beats).startswith(": ping") for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("last", ["nonsense", "-1", "12-begin", "9" * 16, "1 2"])
def test_an_id_that_is_none_is_refused(start: Start, last: str) -> None:
    service = start()
    run = service.post("policy-b")
    reply = service.http.get(f"/v1/runs/{run}/events", headers={"Last-Event-ID": last})
    assert reply.status_code == 400
    assert reply.json()["type"].endswith(":invalid-event-id")
