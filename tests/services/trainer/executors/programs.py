"""Small programs that stand for a training run, and a launch of one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from services.trainer.executors.base import LOG_FILE, Executor, JobState, Launch
from tests.support.waiting import DEADLINE_S


def launch(folder: Path, program: str, environment: Mapping[str, str] | None = None) -> Launch:
    """A launch of a program, which finds its folder in sys.argv[1]."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ("-c", f"import sys, time, pathlib\nfolder = pathlib.Path(sys.argv[1])\n{program}", str(folder))
    return Launch(folder.name, folder, command, environment or {})


async def until_state(executor: Executor, handle: str, holds: Callable[[JobState], bool]) -> JobState:
    """Look at a job until something holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds(state := await executor.state(handle)):  # noqa: ASYNC110 - an engine sets no event here
            await asyncio.sleep(0.05)
    return state


def ended(state: JobState) -> bool:
    return state.kind != "running"


def said(folder: Path) -> list[str]:
    """The lines of a run's log, without their times."""
    path = folder / LOG_FILE
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.partition(" ")[2] for line in lines if not line.startswith("#")]


@contextlib.contextmanager
def sockets_left() -> Iterator[None]:
    """The SDK leaves a socket that could not be connected to the collector, which warns of it: let it do so here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()
