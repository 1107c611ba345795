"""Progress of an evaluation run, for whoever follows it and whoever judges its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prompt4trust.evaluation import Progress
from prompt4trust.files import write_atomically
from services.trainer.run_files.events import EventLog
from services.trainer.run_files.progress import PROGRESS

_EVERY_S = 0.5


class EvaluationProgress:
    """The run's progress, in progress.json and as events.

    Args:
        folder: The run's folder.
        clock: Seconds, monotonic.
        now: The time of day.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = folder / PROGRESS
        self._events = EventLog(folder, now=now)
        self._clock = clock
        self._now = now
        self._last: dict[str, Any] = {}
        self._next = -1.0

    def see(self, progress: Progress) -> None:
        """Take note of the run's progress; it is written down now and then."""
        self._last = {"done": progress.done, "total": progress.total, "failed": progress.failed}
        if self._clock() >= self._next or progress.done + progress.failed >= progress.total:
            self._next = self._clock() + _EVERY_S
            self._write("running")
            self._events.write("progress", **self._last)

    def finish(self, state: str, error: str | None = None) -> None:
        """Record the run's end."""
        self._write(state, **({"error": error} if error else {}))

    def figures(self, event: str, records: list[dict[str, Any]]) -> None:
        """Write figures, each as an event of its own."""
        for each in records:
            self._events.write(event, **each)

    def _write(self, state: str, **more: str) -> None:
        # "state" is read by whoever judges how the run ended.
        record = {"state": state, **self._last, **more, "time": self._now().isoformat(timespec="seconds")}
        write_atomically(self._path, json.dumps(record, indent=2) + "\n")
