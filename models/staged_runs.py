"""Trainings in stages: each is run once and leaves a record, so that a broken run goes on where it stopped."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
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
    def plan(self) -> Any:
        """A dataclass of sizes, which the results depend on."""
        ...

    @property
    def log(self) -> Log:
        """Takes lines of progress."""
        ...


_Run = TypeVar("_Run", bound=Run)


class OtherPlanError(ValueError):
    """Results in a work folder were made by another plan than this run's, or do not say by which."""


def is_finished(folder: Path, stage: str) -> bool:
    """Whether a stage's record is there, which is written last."""
    return _record(folder, stage).is_file()


def read_record(folder: Path, stage: str) -> dict[str, Any]:
    """Read a finished stage's minutes, plan and figures."""
    value: dict[str, Any] = json.loads(_record(folder, stage).read_text(encoding="utf-8"))
    return value


def read_records(folder: Path, stages: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read minutes and figures of those stages that are finished; the plan, which is all stages' own, is left out."""
    found = {name: read_record(folder, name) for name in stages if is_finished(folder, name)}
    return {name: {key: value for key, value in own.items() if key != "plan"} for name, own in found.items()}


def written_plan(plan: Any) -> Any:
    """Write a plan as JSON has it, to be kept beside what was made by it.

    Example:
        >>> from dataclasses import make_dataclass
        >>> written_plan(make_dataclass("Plan", ["steps", "sizes"])(3, (1, 2)))
        {'steps': 3, 'sizes': [1, 2]}
    """
    return json.loads(json.dumps(asdict(plan), default=str))


def check_plan(run: Run, names: Iterable[str]) -> None:
    """Hold the plans in records of finished stages against a run's own.

    Raises:
        OtherPlanError: If one is another's, or none is in it.
    """
    for name in names:
        if is_finished(run.folder, name) and read_record(run.folder, name).get("plan") != written_plan(run.plan):
            raise OtherPlanError(f"the stage {name} in {run.folder} was run by another plan: name another --work")


def run_stages(run: _Run, stages: Mapping[str, Callable[[_Run], dict[str, Any]]], names: Sequence[str]) -> None:
    """Run stages that are not finished yet, and record minutes, plan and figures of each.

    Args:
        run: The training.
        stages: All of its stages: name -> what runs it and gives its figures.
        names: Those that are wanted, in the order in which they run.

    Raises:
        OtherPlanError: If any stage in the folder was finished by another plan; nothing is run.
    """
    check_plan(run, stages)
    run.folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if is_finished(run.folder, name):
            run.log(f"{name}: finished before")
            continue
        began = time.monotonic()
        run.log(f"{name}: starts")
        figures = stages[name](run)
        minutes = round((time.monotonic() - began) / 60, 1)
        told = {"minutes": minutes, "plan": written_plan(run.plan), **figures}
        record = json.dumps(told, indent=2, ensure_ascii=False)
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


def folders(
    work: Path | None, out: Path | None, usual: Path, shipped: Path, *, fast: bool, publishes: bool
) -> tuple[Path, Path]:
    """Settle where a run works and where it publishes: a run of a handful of steps touches nothing of a whole one.

    Args:
        work: Where to work, as the command was told.
        out: Where to publish, as the command was told.
        usual: Where a whole run works unless told otherwise; a fast one beside it.
        shipped: The folder of the shipped models, where a whole run publishes unless told otherwise.
        fast: Whether the run is one of a handful of steps.
        publishes: Whether publication is wanted.

    Raises:
        typer.BadParameter: If a fast run would be published over what ships.

    Example:
        >>> [str(path) for path in folders(None, None, Path("b"), Path("m"), fast=True, publishes=False)]
        ['b-fast', 'm']
    """
    if fast and publishes and (out or shipped).resolve() == shipped.resolve():
        raise typer.BadParameter("a run of a handful of steps is not published over the shipped models: name an --out")
    return work or (usual.with_name(f"{usual.name}-fast") if fast else usual), out or shipped


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Make a directory anew beside itself: it takes the old one's place when all is written and checked, or never.

    Args:
        folder: What is replaced, if it is there, with all that lies in it.

    Yields:
        An empty directory on the same file system.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        made, old = room / "new", room / "old"
        made.mkdir()
        yield made
        if folder.exists():
            folder.rename(old)
        try:
            made.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(room, ignore_errors=True)


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
