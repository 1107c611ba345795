"""The state machine: every transition that there is, and that there are no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.trainer import states
from services.trainer.errors import TransitionError
from services.trainer.executors.base import JobState
from services.trainer.run_files.records import STATUSES, RunRecord, Status

THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOW = THEN + timedelta(hours=1)
Change = Callable[[RunRecord], RunRecord]

CHANGES: Mapping[str, Change] = {
    "begin": lambda run: states.begin(run, executor="process", handle="h", now=NOW),
    "give_up": lambda run: states.give_up(run, error="no engine", now=NOW),
    "drop": lambda run: states.drop(run, now=NOW),
    "ask_to_stop": states.ask_to_stop,
    "succeed": lambda run: states.end(run, status="succeeded", error=None, now=NOW),
    "fail": lambda run: states.end(run, status="failed", error="why", now=NOW),
    "stop": lambda run: states.end(run, status="cancelled", error=None, now=NOW),
    "resume": lambda run: states.resume(run, now=NOW),
}
ALLOWED: Mapping[tuple[str, Status], Status] = {
    ("begin", "queued"): "running",
    ("give_up", "queued"): "failed",
    ("drop", "queued"): "cancelled",
    ("ask_to_stop", "queued"): "queued",
    ("ask_to_stop", "running"): "running",
    ("succeed", "running"): "succeeded",
    ("fail", "running"): "failed",
    ("stop", "running"): "cancelled",
    ("resume", "failed"): "queued",
    ("resume", "cancelled"): "queued",
}


def run(status: Status, **fields: Any) -> RunRecord:
    return RunRecord(id="run-1", kind="training", status=status, created=THEN, queued=THEN, **fields)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_made_from_its_states_and_no_others(name: str, status: Status) -> None:
    target = ALLOWED.get((name, status))
    if target is None:
        with pytest.raises(TransitionError, match=f"run-1 is {status}"):
            CHANGES[name](run(status))
    else:
        assert CHANGES[name](run(status)).status == target


def test_what_a_life_leaves_on_record() -> None:
    begun = CHANGES["begin"](run("queued", error="old"))
    assert (begun.executor, begun.handle, begun.started, begun.error) == ("process", "h", NOW, None)
    stopping = states.ask_to_stop(begun)
    assert stopping.cancelling
    ended = CHANGES["stop"](stopping)
    assert (ended.cancelling, ended.handle, ended.ended, ended.started) == (False, None, NOW, NOW)
    again = CHANGES["resume"](ended)
    assert (again.resumed, again.queued, again.started, again.ended) == (1, NOW, None, None)
    assert again.created == THEN
    assert CHANGES["fail"](CHANGES["begin"](again)).error == "why"


def test_a_run_ends_in_a_final_state_only() -> None:
    with pytest.raises(TransitionError, match="does not end queued"):
        states.end(run("running"), status="queued", error=None, now=NOW)


@pytest.mark.parametrize(
    ("job", "told", "cancelling", "status", "says"),
    [
        (JobState("exited", 0), {"state": "succeeded"}, False, "succeeded", None),
        (JobState("exited", 0), {}, False, "succeeded", None),
        (JobState("exited", 0), {"state": "succeeded"}, True, "succeeded", None),  # it was through before the signal
        (JobState("exited", 1), {"state": "failed", "error": "disk"}, False, "failed", "disk"),
        (JobState("exited", 1), {"state": "running"}, False, "failed", "ended with status 1"),
        (JobState("exited", -9), {"state": "running"}, False, "failed", "signal 9"),
        (JobState("exited", 137, "out of memory"), {}, False, "failed", r"signal 9 \(out of memory\)"),
        (JobState("exited", -15), {"state": "running"}, True, "cancelled", None),
        (JobState("exited", -9), {"state": "running"}, True, "cancelled", None),
        (JobState("exited", 130), {"state": "cancelled"}, True, "cancelled", None),
        (JobState("exited", 130), {"state": "cancelled"}, False, "cancelled", "from elsewhere"),
        # After a restart of the service nobody knows the exit code: the run's own word counts.
        (JobState("gone"), {"state": "succeeded"}, False, "succeeded", None),
        (JobState("exited"), {"state": "failed", "error": "disk"}, False, "failed", "disk"),
        (JobState("gone"), {"state": "cancelled"}, False, "cancelled", "from elsewhere"),
        (JobState("gone"), {"state": "running"}, False, "failed", "ended without a word"),
        (JobState("gone"), {}, False, "failed", "ended without a word"),
        (JobState("gone"), {"state": "running"}, True, "cancelled", None),
    ],
)
def test_how_a_job_ended_tells_how_the_run_did(
    job: JobState, told: Mapping[str, Any], cancelling: bool, status: Status, says: str | None
) -> None:
    found, error = states.judge(job, told, cancelling=cancelling)
    assert found == status
    if says is None:
        assert error is None
    else:
        assert error is not None
        assert re.search(says, error)
