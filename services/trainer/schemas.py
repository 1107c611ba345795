"""Requests and replies of the trainer's API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from services.common.http.openapi.quantities import Count, Positive
from services.trainer.grpo.config.reward_setting import RewardSetting
from services.trainer.run_files.records import RunKind, RunRecord, Status
from services.trainer.section import Int, Section

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class TrainingRequest(Section):
    """A training run, as far as it differs from its configuration.

    Attributes:
        config: A configuration of the service's directory, without its ending; by default the service's own choice.
        policy: Version of the registry to begin with.
        version: Name of the version to publish; it must be new.
        steps: Optimizer steps.
        seed: Of the data's order, the sampling and the bootstrap.
        reward: A proper score by its name, or weights by name for a sum.
        overrides: Further values by dotted name, say {"update.learning_rate": 1e-4}; files of questions are named by
            their path below the service's data directory.
    """

    config: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] | None = None
    policy: Name | None = None
    version: Name | None = None
    steps: Int | None = Field(default=None, ge=1)
    seed: Int | None = Field(default=None, ge=0, lt=2**32)
    reward: RewardSetting | None = None
    overrides: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=128)], Any] = Field(
        default_factory=dict, max_length=64
    )


class RunSummary(BaseModel):
    """A run in a list."""

    id: str = Field(description="Its name.")
    kind: RunKind = Field(description="What it does.")
    status: Status = Field(description="State of the run.")
    created: datetime = Field(description="When it was asked for.")
    started: datetime | None = Field(description="When its work began, the last time.")
    ended: datetime | None = Field(description="When that ended.")
    executor: str | None = Field(
        description="Name of the executor: process, docker, kubernetes; foreground for a command in a terminal."
    )
    resumed: Count = Field(description="Number of times that it was resumed.")
    cancelling: bool = Field(description="It was asked to stop and has not stopped yet.")
    resumable: bool = Field(description="It can be resumed.")
    position: Positive | None = Field(
        description="Its place in the queue, 1 being next; null for one that does not wait."
    )
    error: str | None = Field(description="Reason why it failed, or another remark on its end for a person.")

    @classmethod
    def of(cls, record: RunRecord, position: int | None, shorten: Callable[[str], str]) -> RunSummary:
        """Show a record; `shorten` takes out of an error where the service's directories lie."""
        shown = record.model_dump(exclude={"queued", "handle", "request", "error"})
        error = None if record.error is None else shorten(record.error)
        return cls(**shown, error=error, resumable=record.status in ("failed", "cancelled"), position=position)


class RunList(BaseModel):
    """A page of runs.

    Attributes:
        runs: The runs, the newest first.
        next_cursor: Value of `cursor` that asks for those after them; None where there are none.
    """

    runs: list[RunSummary]
    next_cursor: str | None


class RunDetail(RunSummary):
    """A run with what its files say.

    Attributes:
        request: The request.
        progress: Its progress by its own account; step of steps, or done of total.
        metrics: The figures of the last training step.
        before: Evaluation of what training or tuning began with.
        after: Evaluation of a training's best checkpoint so far, or of a tuned model.
        report: Each method's figures over all questions, of an evaluation that is through.
    """

    request: dict[str, Any]
    progress: dict[str, Any]
    metrics: dict[str, Any] | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    report: list[dict[str, Any]] | None = None


class SamplesReply(BaseModel):
    """Guidance prompts of a training run.

    Attributes:
        samples: The prompts with what came of them, the latest last.
    """

    samples: list[dict[str, Any]]
