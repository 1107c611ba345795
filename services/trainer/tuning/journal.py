"""Files that a tuning run writes as it goes: its progress, its figures a step, its events."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prompt4trust.files import write_atomically
from services.trainer.grpo.journal import RunObserver, SilentObserver
from services.trainer.run_files.events import EventLog
from services.trainer.run_files.json_lines import read_lines, tail, to_line
from services.trainer.run_files.progress import EVALUATIONS, METRICS, PROGRESS


class TuningJournal:
    """Files of a tuning run.

    Args:
        folder: The run's folder.
        steps: Epochs of the run; an epoch is a step of it.
        then: Told of every epoch and note as well, or None.
        now: The time of day.
    """

    def __init__(
        self,
        folder: Path,
        steps: int,
        then: RunObserver | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = folder
        self._steps = steps
        self._then = then or SilentObserver()
        self._now = now
        self._events = EventLog(folder, now=now)
        self._step = 0

    def go_back_to(self, step: int) -> None:
        """Take note of the epoch that a run goes on from, and drop the figures of later ones."""
        kept = [record for record in read_lines(self._folder / METRICS) if int(record["step"]) <= step]
        write_atomically(self._folder / METRICS, "".join(f"{to_line(record)}\n" for record in kept))
        self._step = step
        self._write("running")
        if step:
            self.note(f"goes on from epoch {step}")

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        """Take note of a finished epoch."""
        record = {"step": step, **figures}
        with (self._folder / METRICS).open("a", encoding="utf-8") as lines:
            lines.write(to_line(record) + "\n")
        self._step = step
        self._events.write("step", **record, steps=self._steps)
        self._write("running")
        self._then.step(record, self._steps)

    def evaluated(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Keep both evaluations."""
        records = [{"step": 0, **before}, {"step": self._steps, **after}]
        write_atomically(self._folder / EVALUATIONS, "".join(f"{to_line(each)}\n" for each in records))
        for each in records:
            self._events.write("evaluation", **each)

    def finish(self, state: str, error: str | None = None) -> None:
        """Record the run's end."""
        self._write(state, **({"error": error} if error else {}))

    def note(self, text: str) -> None:
        """Write a note for a person."""
        self._events.write("note", text=text)
        self._then.note(text)

    def _write(self, state: str, **more: str) -> None:
        # "state" is read by whoever judges how the run ended.
        record = {"state": state, "step": self._step, "steps": self._steps, **more}
        record["time"] = self._now().isoformat(timespec="seconds")
        write_atomically(self._folder / PROGRESS, json.dumps(record, indent=2) + "\n")


def describe_tuning(folder: Path) -> dict[str, Any]:
    """Sum a tuning run up.

    Returns:
        {"metrics", "before", "after"}: the last epoch's figures, and the evaluations of the model with its own wording
        and with the tuned context; each None where there is none yet.
    """
    last, evaluations = tail(folder / METRICS, 1), tail(folder / EVALUATIONS, 2)
    before, after = evaluations if len(evaluations) == 2 else (None, None)
    return {"metrics": last[-1] if last else None, "before": before, "after": after}
