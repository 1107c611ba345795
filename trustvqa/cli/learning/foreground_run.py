"""Runs that a command does itself, on record like those of the service, and ended by Ctrl-C in good order."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from services.trainer.errors import RunError, TransitionError
from services.trainer.run_files.records import RunKind
from services.trainer.stop_signals import stop_on_signals
from services.trainer.supervision.foreground import Foreground
from trustvqa.cli.runs.prediction_run import INTERRUPTED


class Ended(Protocol):
    """A run's end."""

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before its end, and can be resumed."""
        ...


Result = TypeVar("Result", bound=Ended)


def new_folder(runs: Path, version: str) -> Path:
    """Name the folder of a run that begins now, which no run has: one begun in the same second would be gone on with.

    Args:
        runs: Folder of all runs.
        version: What the run publishes.
    """
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{version}"
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(folder for each in names if not (folder := runs / each).exists())


def run_on_record(
    folder: Path, kind: RunKind, request: dict[str, Any], work: Callable[[threading.Event], Result]
) -> Result:
    """Do a run's work in this process.

    Args:
        folder: The run's folder.
        kind: What kind of run it is.
        request: What goes on record of it.
        work: Does it; the event is set where a signal asks for its end.

    Raises:
        RunError: If it cannot be done, or somebody else is at work on it.
    """
    record = Foreground(folder, kind)
    try:
        record.begin(request)
    except TransitionError as error:
        raise RunError(str(error)) from error
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}") from error
    try:
        with stop_on_signals() as stop:
            result = work(stop)
    except RunError as error:
        with suppress(OSError):  # the list of runs then finds out by itself that this process is gone
            record.end("failed", str(error))
        raise
    with suppress(OSError):
        record.end("cancelled" if result.stopped else "succeeded")
    return result


def end_stopped(command: str, folder: Path, at: str, console: Console) -> NoReturn:
    """End a command whose run was stopped, with what goes on with it.

    Args:
        command: Its name.
        folder: The run's folder.
        at: The place that the run has reached, such as "step 7".
        console: Where to.
    """
    console.print(
        f"stopped at {at}; `trustvqa {command} --resume {escape(str(folder))}` goes on from there", soft_wrap=True
    )
    raise typer.Exit(INTERRUPTED)
