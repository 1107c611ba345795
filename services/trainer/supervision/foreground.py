"""Records of runs that a command in a terminal does itself, kept like those of the others."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.trainer import states
from services.trainer.errors import UnknownRunError
from services.trainer.executors.base import JobState
from services.trainer.executors.process_identity import identify, is_at_work
from services.trainer.run_files.progress import read_progress, reset_progress
from services.trainer.run_files.records import FOREGROUND, RunKind, RunRecord, RunStore, Status


class Foreground:
    """A run of this process, as it goes on record.

    Args:
        folder: The run's folder.
        kind: What kind of run it is.
        now: The time of day.
    """

    def __init__(
        self,
        folder: Path,
        kind: RunKind = "training",
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._kind = kind
        self._store = RunStore(folder.absolute().parent)
        self._id = folder.absolute().name
        self._now = now
        self._is_ours = False

    def begin(self, request: dict[str, Any]) -> None:
        """Record that this process does the run from now on.

        Args:
            request: The request, for a run that is not on record yet.

        Raises:
            TransitionError: If it waits for its turn with the service, or somebody else is at work on it.
            OSError: If the record cannot be written.
        """
        now, handle = self._now(), identify(os.getpid())

        def begun(run: RunRecord) -> RunRecord:
            return states.begin(run, executor=FOREGROUND, handle=handle, now=now)

        try:
            record = settle(self._store, self._store.read(self._id), now)
        except UnknownRunError:
            fresh = RunRecord(id=self._id, kind=self._kind, status="queued", created=now, queued=now, request=request)
            # A folder whose name no run can have was chosen by hand: it is not among the others anyway.
            with suppress(UnknownRunError):
                self._store.create(begun(fresh))
                self._is_ours = True
            return
        if record.status == "succeeded":
            return  # there is nothing to do but to say so
        reset_progress(self._store.folder(self._id))
        self._store.update(self._id, lambda run: begun(states.resume(run, now=now)))
        self._is_ours = True

    def end(self, status: Status, error: str | None = None) -> None:
        """Record its end.

        Raises:
            OSError: If the record cannot be written.
        """
        if self._is_ours:
            self._store.update(self._id, lambda run: states.end(run, status=status, error=error, now=self._now()))
            self._is_ours = False


def settle(store: RunStore, record: RunRecord, now: datetime) -> RunRecord:
    """Close the record of a run whose process is gone without having closed it.

    Args:
        store: The runs on record.
        record: Any run's record.
        now: The time of day.

    Returns:
        The record, changed if a command was at work on it that no longer runs. One that works on another machine is
        taken at its word.
    """
    if record.status != "running" or record.executor != FOREGROUND:
        return record
    handle = record.handle or ""
    try:
        if is_at_work(handle) is not False:
            return record
    except ValueError:
        pass  # no name of a process: nobody can be at work

    def conclude(run: RunRecord) -> RunRecord:
        if run.status != "running" or run.handle != handle:
            return run  # it ended in good order meanwhile, or was taken up again
        status, error = states.judge(JobState("gone"), read_progress(store.folder(run.id)), cancelling=False)
        return states.end(run, status=status, error=error, now=now)

    return store.update(record.id, conclude)
