"""Events of a training run, written as they happen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from services.trainer.grpo.journal import RunObserver, SilentObserver
from services.trainer.run_files.events import EventLog
from services.trainer.run_files.json_lines import read_lines
from services.trainer.run_files.progress import EVALUATIONS


class EventWriter:
    """An observer that writes events, and passes all on to another.

    Args:
        folder: The run's folder.
        then: The next observer, or None.
    """

    def __init__(self, folder: Path, then: RunObserver | None = None) -> None:
        self._folder = folder
        self._events = EventLog(folder)
        self._then = then or SilentObserver()
        self._evaluated = len(list(read_lines(folder / EVALUATIONS)))

    def step(self, record: Mapping[str, Any], steps: int) -> None:
        """Write the event of a finished step."""
        self._write("step", **{**record, "steps": steps})
        self._then.step(record, steps)

    def note(self, text: str) -> None:
        """Write a note for a person, and before it the checkpoints that were evaluated since the last one."""
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
