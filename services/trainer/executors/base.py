"""The interface of executors, which start a run's work and watch over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

LOG_FILE = "log.txt"
"""File of a job's output, in the run's folder; a later attempt adds to it."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A job to start.

    Attributes:
        run_id: The run's id: at most 63 lower-case letters, digits and hyphens, beginning with a letter and ending
            with a letter or digit, so that it also is a label, a container's and a Job's name.
        folder: The run's folder, absolute. An executor whose job sees it under another path replaces it in the
            command.
        command: The arguments after the Python interpreter, say ("-m", "services.trainer.grpo", "/runs/run-1").
        environment: Environment variables for the job; nothing of the caller's own environment is added to them
            beyond what a process cannot do without. They may hold the downstream service's key: keep it out of logs
            and labels.
    """

    run_id: str
    folder: Path
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class JobState:
    """The state of a job.

    Attributes:
        kind: "running" (waiting for a place counts), "exited", or "gone": nothing is known of it any more, and it
            does not run.
        exit_code: Of an exited job, where it is known; 128 + n or -n where signal n ended it.
        detail: One line for the operator, such as "out of memory"; "" where there is nothing to say.
    """

    kind: Literal["running", "exited", "gone"]
    exit_code: int | None = None
    detail: str = ""


class Executor(Protocol):
    """Starts, watches and stops jobs. Handles are strings that outlive the caller's process."""

    name: str

    async def start(self, run: Launch) -> str:
        """Start a job, or find the one of this run that is at work already.

        Idempotent by run id: a caller that died before it could note the handle calls again and gets the same job.
        A job of an earlier attempt at the run, ended by now, does not count and is in nobody's way.

        Args:
            run: The job.

        Returns:
            Its handle.

        Raises:
            ExecutorError: If it could not be started.
        """
        ...

    async def state(self, handle: str) -> JobState:
        """Look at a job.

        Raises:
            ExecutorError: If nothing can be learned just now.
        """
        ...

    async def stop(self, handle: str, grace_s: float) -> None:
        """End a job and everything that it started; returns once it is gone.

        Args:
            handle: The job; one that has ended is no error.
            grace_s: Seconds between the polite signal (SIGTERM) and the other one (SIGKILL).

        Raises:
            ExecutorError: If it could not be stopped.
        """
        ...

    async def forget(self, handle: str) -> None:
        """Remove what an ended job left behind (a container, a Job); what is gone already is no error."""
        ...

    async def close(self) -> None:
        """Let go of what the executor holds; jobs go on."""
        ...
