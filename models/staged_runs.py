"""Trainings in stages: each is run once and leaves a record, so that a broken run goes on where it stopped."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
import typer

from prompt4trust.files import write_atomically

PUBLISH = "publish"
"""Name of a last step, to write what the stages made where it is shipped; it may be asked for beside them."""

Log = Callable[[str], None]
"""Takes a line of progress."""


class Run(Protocol):
    """A training that is run in stages."""

    @property
    def folder(self) -> Path:
        """Where stages leave their results and records."""
        ...

    @property
    def log(self) -> Log:
        """Takes lines of progress."""
        ...


_Run = TypeVar("_Run", bound=Run)


def is_finished(folder: Path, stage: str) -> bool:
    """Whether a stage's record is there, which is written last."""
    return _record(folder, stage).is_file()


def read_record(folder: Path, stage: str) -> dict[str, Any]:
    """Read a finished stage's minutes and figures."""
    value: dict[str, Any] = json.loads(_record(folder, stage).read_text(encoding="utf-8"))
    return value


def read_records(folder: Path, stages: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read the records of those stages that are finished."""
    return {name: read_record(folder, name) for name in stages if is_finished(folder, name)}


def run_stages(run: _Run, stages: Mapping[str, Callable[[_Run], dict[str, Any]]], names: Sequence[str]) -> None:
    """Run stages that are not finished yet, and record minutes and figures of each.

    Args:
        run: The training.
        stages: All of its stages: name -> what runs it and gives its figures.
        names: Those that are wanted, in the order in which they run.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if is_finished(run.folder, name):
            run.log(f"{name}: finished before")
            continue
        began = time.monotonic()
        run.log(f"{name}: starts")
        figures = stages[name](run)
        minutes = round((time.monotonic() - began) / 60, 1)
        record = json.dumps({"minutes": minutes, **figures}, indent=2, ensure_ascii=False)
        write_atomically(_record(run.folder, name), record + "\n")
        run.log(f"{name}: done in {minutes} min {json.dumps(figures)}")


def wanted_stages(asked: Sequence[str] | None, known: Iterable[str], by_default: Iterable[str]) -> list[str]:
    """Check the stages that a command was asked for.

    Args:
        asked: Their names; none for the default ones and publication.
        known: Names of all stages.
        by_default: The default ones.

    Raises:
        typer.BadParameter: If one is unknown.
    """
    wanted = list(asked) if asked else [*by_default, PUBLISH]
    if unknown := [name for name in wanted if name not in (*known, PUBLISH)]:
        raise typer.BadParameter(f"no such stage: {', '.join(unknown)}")
    return wanted


def begin_training() -> Log:
    """Set this process up to train, and give what prints lines of progress with the minutes since."""
    # Denormal numbers in the optimizer's state slow a CPU down manyfold; more threads pay only where cores are idle.
    torch.set_flush_denormal(True)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    began = time.monotonic()

    def log(line: str) -> None:
        typer.echo(f"[{(time.monotonic() - began) / 60:5.1f} min] {line}")
        sys.stdout.flush()

    return log


def _record(folder: Path, stage: str) -> Path:
    return folder / f"{stage}.json"
