"""The states of a run and every change from one to the next, in one place.

queued ──begin──► running ──end──► succeeded | failed | cancelled
  │  └──give_up──► failed                        │
  ├──drop──► cancelled             resume: failed and cancelled ──► queued
  └──ask_to_stop: queued or running, still so, but marked as cancelling
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.trainer.errors import TransitionError
from services.trainer.executors.base import JobState
from services.trainer.run_files.records import RunRecord, Status
from services.trainer.stop_signals import STOPPED

_SIGNAL_BASE = 128
_GONE = (
    "the run's process ended without a word: it was killed, it ran out of memory, or the machine was restarted. "
    "Resume the run: it goes on from what was saved"
)


def begin(record: RunRecord, *, executor: str, handle: str, now: datetime) -> RunRecord:
    """Put a run to work."""
    _require(record, "begin", "queued")
    return record.with_(status="running", executor=executor, handle=handle, started=now, ended=None, error=None)


def give_up(record: RunRecord, *, error: str, now: datetime) -> RunRecord:
    """Fail a run whose work could not begin."""
    _require(record, "be given up", "queued")
    return record.with_(status="failed", cancelling=False, ended=now, error=error)


def drop(record: RunRecord, *, now: datetime) -> RunRecord:
    """Take a run out of the queue."""
    _require(record, "leave the queue", "queued")
    return record.with_(status="cancelled", cancelling=False, ended=now, error=None)


def ask_to_stop(record: RunRecord) -> RunRecord:
    """Mark a run that is to stop as soon as it can."""
    _require(record, "be cancelled", "queued", "running")
    return record.with_(cancelling=True)


def end(record: RunRecord, *, status: Status, error: str | None, now: datetime) -> RunRecord:
    """Close a run whose work has ended."""
    _require(record, "end", "running")
    if status not in ("succeeded", "failed", "cancelled"):
        raise TransitionError(f"a run does not end {status}")
    return record.with_(status=status, cancelling=False, ended=now, error=error, handle=None)


def resume(record: RunRecord, *, now: datetime) -> RunRecord:
    """Take a run up again, behind those that wait."""
    _require(record, "be resumed", "failed", "cancelled")
    return record.with_(
        status="queued", queued=now, started=None, ended=None, error=None, resumed=record.resumed + 1, cancelling=False
    )


def judge(job: JobState, progress: Mapping[str, Any], *, cancelling: bool) -> tuple[Status, str | None]:
    """Judge a run by the end of its job.

    Args:
        job: The job, not running any more.
        progress: The last that the run said of itself in this attempt: progress.json, or nothing.
        cancelling: The run was asked to stop.

    Returns:
        The run's status, and a remark for a person.
    """
    own_account = progress.get("state")
    if job.exit_code == 0 or (job.exit_code is None and own_account == "succeeded"):
        return "succeeded", None
    if cancelling:
        return "cancelled", None
    if own_account == "failed" and progress.get("error"):
        return "failed", str(progress["error"])
    if job.exit_code == STOPPED or (job.exit_code is None and own_account == "cancelled"):
        return "cancelled", "it was stopped by a signal from elsewhere; resuming it goes on from its checkpoint"
    return "failed", _explain(job)


def _explain(job: JobState) -> str:
    code = job.exit_code
    if code is None:
        return f"{_GONE} ({job.detail})" if job.detail else _GONE
    signal = -code if code < 0 else code - _SIGNAL_BASE if code > _SIGNAL_BASE else 0
    what = f"was ended by signal {signal}" if signal else f"ended with status {code}"
    why = f" ({job.detail})" if job.detail else ""
    return f"the run's process {what}{why}; its log.txt may say more. Resume the run: it goes on from what was saved"


def _require(record: RunRecord, what: str, *statuses: Status) -> None:
    if record.status not in statuses:
        raise TransitionError(f"run {record.id} is {record.status}: it cannot {what}")
