"""Progress for a person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

if TYPE_CHECKING:
    from prompt4trust.evaluation import Progress

_QUIET_LINES = 10


def counting_bar(console: Console, *, disable: bool = False) -> ProgressBar:
    """Make a bar with a description, a count and the time that remains."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return ProgressBar(*columns, console=console, disable=disable)


class PredictionProgress:
    """Shows a run's progress: a bar on a terminal, a line now and then elsewhere. A context manager.

    Args:
        console: Where to.
        folder: The run's folder, to name it.
    """

    def __init__(self, console: Console, folder: Path) -> None:
        self._console = console
        self._folder = folder
        self._bar = counting_bar(console, disable=not console.is_terminal)
        self._task = self._bar.add_task("asking", total=None)
        self._next = 0.0
        self._started = False

    def __enter__(self) -> PredictionProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, progress: Progress) -> None:
        """Show where the run stands."""
        if not self._started:
            self._started = True
            known = f", {progress.resumed} of them from before" if progress.resumed else ""
            self._console.print(f"{progress.total} predictions into {escape(str(self._folder))}{known}", soft_wrap=True)
            self._next = progress.done + progress.total / _QUIET_LINES
        failed = f" ({progress.failed} failed)" if progress.failed else ""
        if self._console.is_terminal:
            self._bar.update(self._task, total=progress.total, completed=progress.done, description=f"asking{failed}")
        elif progress.done >= self._next:
            self._next += progress.total / _QUIET_LINES
            self._console.print(f"{progress.done} of {progress.total}{failed}")
