"""A training run's events, told as they happen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from services.trainer.events import EventLog
from services.trainer.grpo.journal import EVALUATIONS, RunObserver, SilentObserver, read_lines


class EventWriter:
    """Writes events of what an observer is told, and passes it on.

    Args:
        folder: The run's folder.
        then: Who else is told.
    """

    def __init__(self, folder: Path, then: RunObserver | None = None) -> None:
        self._folder = folder
        self._events = EventLog(folder)
        self._then = then or SilentObserver()
        self._evaluated = len(list(read_lines(folder / EVALUATIONS)))

    def step(self, record: Mapping[str, Any], steps: int) -> None:
        """Tell of a finished step."""
        self._write("step", **{**record, "steps": steps})
        self._then.step(record, steps)

    def note(self, text: str) -> None:
        """Tell what a person should know, and of checkpoints that were evaluated since."""
        evaluations = list(read_lines(self._folder / EVALUATIONS))
        for record in evaluations[self._evaluated :]:
            self._write("evaluation", **record)
        self._evaluated = len(evaluations)
        self._write("note", text=text)
        self._then.note(text)

    def _write(self, event: str, **data: Any) -> None:
        # Events repeat what the journal keeps: that a disk is full is for the journal to say.
        with suppress(OSError):
            self._events.write(event, **data)
