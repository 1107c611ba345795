"""Requests and replies of the trainer's API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from services.trainer.run_files.records import RunRecord, Status
from services.trainer.section import Section

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class TrainingRequest(Section):
    """A training run, as far as it differs from its configuration.

    Attributes:
        config: A configuration of the service's directory, without its ending; by default the service's own choice.
        policy: Version of the registry to begin with.
        version: Name of the version to publish; it must be new.
        steps: Optimizer steps.
        seed: Of the data's order, the sampling and the bootstrap.
        reward: Name of the reward.
        overrides: Further values by dotted name, say {"update.learning_rate": 1e-4}; files of questions are named by
            their path below the service's data directory.
    """

    config: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] | None = None
    policy: Name | None = None
    version: Name | None = None
    steps: int | None = Field(default=None, ge=1)
    seed: int | None = Field(default=None, ge=0, lt=2**32)
    reward: Annotated[str, Field(max_length=64)] | None = None
    overrides: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=128)], Any] = Field(
        default_factory=dict, max_length=64
    )


class RunSummary(BaseModel):
    """A run in a list.

    Attributes:
        id: Its name.
        kind: Training or evaluation.
        status: State of the run.
        created: When it was asked for.
        started: When its work began, the last time.
        ended: When that ended.
        executor: Name of the executor: process, docker, kubernetes; foreground for a command in a terminal.
        resumed: Number of times that it was resumed.
        cancelling: It was asked to stop and has not stopped yet.
        resumable: It can be resumed.
        position: Its place in the queue, 1 being next; None for one that does not wait.
        error: Reason why it failed, or another remark on its end for a person.
    """

    id: str
    kind: Literal["training", "evaluation"]
    status: Status
    created: datetime
    started: datetime | None
    ended: datetime | None
    executor: str | None
    resumed: int
    cancelling: bool
    resumable: bool
    position: int | None
    error: str | None

    @classmethod
    def of(cls, record: RunRecord, position: int | None, shorten: Callable[[str], str]) -> RunSummary:
        """Show a record; `shorten` takes out of an error where the service's directories lie."""
        shown = record.model_dump(exclude={"queued", "handle", "request", "error"})
        error = None if record.error is None else shorten(record.error)
        return cls(**shown, error=error, resumable=record.status in ("failed", "cancelled"), position=position)


class RunList(BaseModel):
    """Runs, the newest first; next_cursor asks for those after them, None where there are none."""

    runs: list[RunSummary]
    next_cursor: str | None


class RunDetail(RunSummary):
    """A run with what its files say.

    Attributes:
        request: The request.
        progress: Its progress by its own account; step of steps, or done of total.
        metrics: The figures of the last training step.
        before: Evaluation of the policy that training began with.
        after: Evaluation of its best checkpoint so far.
        report: Each method's figures over all questions, of an evaluation that is through.
    """

    request: dict[str, Any]
    progress: dict[str, Any]
    metrics: dict[str, Any] | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    report: list[dict[str, Any]] | None = None


class SamplesReply(BaseModel):
    """Guidance prompts of a training run with what came of them, the latest last."""

    samples: list[dict[str, Any]]
