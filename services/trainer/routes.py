"""The trainer API's routes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from sse_starlette import EventSourceResponse

from services.common.auth import Right, requires
from services.common.http.openapi import problems
from services.common.http.problems import Problem
from services.trainer.errors import QueueFullError, TransitionError, UnknownRunError
from services.trainer.evaluation.config import EvaluationConfig
from services.trainer.evaluation.execute import OUTPUT, summarize
from services.trainer.event_stream import EVENT_ID, follow, place_of
from services.trainer.grpo.summary import describe_training
from services.trainer.metrics import TrainerMetrics
from services.trainer.run_files.json_lines import read_object, tail
from services.trainer.run_files.progress import SAMPLES, read_progress
from services.trainer.run_files.records import RUN_ID, RunRecord
from services.trainer.schemas import RunDetail, RunList, RunSummary, SamplesReply, TrainingRequest
from services.trainer.settings import TrainerSettings
from services.trainer.supervision.planning import Planner
from services.trainer.supervision.supervisor import RunSupervisor
from services.trainer.tuning.config import TuningConfig
from services.trainer.tuning.journal import describe_tuning

# Whoever looks at runs sees questions, what models made of them, and paths: all of it is for administrators.
router = APIRouter(tags=["runs"], dependencies=[requires(Right.ADMIN)])
_RETRY_AFTER_S = 60.0
# A client that takes nothing for so long is gone, whatever its connection pretends.
_STALLED_S = 30.0
_SHOWN = 200
"""Characters of a run's name that nobody knows."""


@dataclass(frozen=True, slots=True)
class Trainer:
    """The parts that the routes work with; made in the lifespan."""

    settings: TrainerSettings
    supervisor: RunSupervisor
    planner: Planner
    metrics: TrainerMetrics


def _running(request: Request) -> Trainer:
    trainer = request.app.state.trainer
    assert isinstance(trainer, Trainer)  # noqa: S101 - set by the lifespan before the first request
    return trainer


Running = Annotated[Trainer, Depends(_running)]
_RunId = Annotated[str, Path(description="The run's id.", json_schema_extra={"pattern": RUN_ID})]
_LastEvent = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="Id of the last event that the client has: it goes on behind that.",
        json_schema_extra={"pattern": EVENT_ID},
    ),
]
_EVENTS = {
    "example": 'id: 118\nevent: state\ndata: {"status": "running", "cancelling": false, "error": null}\n\n',
}
_QUEUED: dict[int | str, dict[str, Any]] = {
    202: {"headers": {"Location": {"description": "Path of the run.", "schema": {"type": "string"}}}}
}
_FULL = "As many runs wait as may: `Retry-After` says when to come back."
_TO_START = _QUEUED | problems(
    {
        409: "Another unfinished run makes a version of this name, or the registry has one.",
        429: _FULL,
        503: "Runs of this kind cannot be started here, or the directory for runs cannot be written.",
    }
)


@router.post("/v1/runs", status_code=202, summary="Start a training run", responses=_TO_START)
async def start_training(request: TrainingRequest, response: Response, trainer: Running) -> RunSummary:
    """Check a training run and put it into the queue."""
    return await _submit(trainer, response, lambda: trainer.planner.plan_training(request))


@router.post(
    "/v1/evaluations",
    status_code=202,
    summary="Start an evaluation",
    responses={status: each for status, each in _TO_START.items() if status != 409},
)
async def start_evaluation(request: EvaluationConfig, response: Response, trainer: Running) -> RunSummary:
    """Check an evaluation and put it into the queue."""
    return await _submit(trainer, response, lambda: trainer.planner.plan_evaluation(request))


@router.post("/v1/tunings", status_code=202, summary="Start tuning a contrastive model", responses=_TO_START)
async def start_tuning(request: TuningConfig, response: Response, trainer: Running) -> RunSummary:
    """Check a run that tunes a contrastive model by CalibPrompt, and put it into the queue."""
    return await _submit(trainer, response, lambda: trainer.planner.plan_tuning(request))


@router.get("/v1/runs", summary="List training, evaluation and tuning runs")
async def list_runs(
    trainer: Running,
    limit: Annotated[int, Query(ge=1, le=200, description="Most runs of a page.")] = 50,
    cursor: Annotated[str | None, Query(pattern=RUN_ID, description="`next_cursor` of the page before.")] = None,
) -> RunList:
    """List runs, the newest first, those of commands in terminals included."""
    records = await trainer.supervisor.list()
    begin = 0
    if cursor is not None:
        ids = [record.id for record in records]
        if cursor not in ids:
            raise Problem(422, "invalid-request", "Check cursor: it is none that this list gave.")
        begin = ids.index(cursor) + 1
    page = records[begin : begin + limit]
    more = begin + limit < len(records)
    return RunList(
        runs=[_summary(trainer, record) for record in page], next_cursor=page[-1].id if page and more else None
    )


@router.get("/v1/runs/{run_id}", summary="Show a run")
async def show_run(run_id: _RunId, trainer: Running) -> RunDetail:
    """Show a run with its latest figures, and the evaluations before and after."""
    record = await _find(trainer, run_id)
    folder = trainer.supervisor.store.folder(run_id)

    def read_files() -> dict[str, Any]:
        found: dict[str, Any] = {"progress": read_progress(folder)}
        if record.kind == "training":
            return found | describe_training(folder)
        if record.kind == "calibprompt":
            return found | describe_tuning(folder)
        report = read_object(folder / OUTPUT / "report.json")
        return found | {"report": summarize(report) if report else None}

    files = await asyncio.to_thread(read_files)
    return RunDetail(**_summary(trainer, record).model_dump(), request=record.request, **files)


@router.get("/v1/runs/{run_id}/samples", summary="Show guidance prompts with their outcome")
async def show_samples(
    run_id: _RunId,
    trainer: Running,
    limit: Annotated[int, Query(ge=1, le=200, description="Most samples, of the latest ones.")] = 20,
) -> SamplesReply:
    """Show the latest guidance prompts of training with the downstream model's replies and the rewards."""
    await _find(trainer, run_id)
    folder = trainer.supervisor.store.folder(run_id)
    return SamplesReply(samples=await asyncio.to_thread(tail, folder / SAMPLES, limit))


@router.get(
    "/v1/runs/{run_id}/events",
    summary="Follow a run (server-sent events)",
    response_class=EventSourceResponse,
    responses={
        200: {"description": "The events.", "content": {"text/event-stream": _EVENTS}},
        204: {"description": "The run has ended, and the client has heard so."},
        **problems({400: "Last-Event-ID is not the id of an event of this stream.", 503: "Too many clients follow."}),
    },
)
async def follow_run(run_id: _RunId, trainer: Running, last_event_id: _LastEvent = None) -> Response:
    """Send a run's events, past and to come, until it ends. Last-Event-ID goes on where a client stopped."""
    place, heard_the_end = place_of(last_event_id)
    record = await _find(trainer, run_id)
    if heard_the_end and record.is_finished:
        return Response(status_code=204)  # by which a browser's EventSource knows not to come again
    if trainer.metrics.listening >= trainer.settings.max_streams:
        raise Problem(503, "too-many-listeners", "Too many clients follow runs at the moment.", retry_after=5)
    events = follow(
        trainer.supervisor.store.folder(run_id),
        place,
        lambda: trainer.supervisor.read(run_id),
        poll_s=trainer.settings.poll_s,
        metrics=trainer.metrics,
    )
    return EventSourceResponse(events, ping=trainer.settings.heartbeat_s, send_timeout=_STALLED_S)


@router.post(
    "/v1/runs/{run_id}/cancel",
    status_code=202,
    summary="Stop a run",
    responses=problems({409: "The run has ended, or is at work in a terminal."}),
)
async def cancel_run(run_id: _RunId, trainer: Running) -> RunSummary:
    """Have a run leave the queue, or stop with a checkpoint; the reply does not wait for that."""
    await _find(trainer, run_id)
    try:
        record = await trainer.supervisor.cancel(run_id)
    except TransitionError as error:
        raise Problem(409, "wrong-state", f"{error}.") from error
    return _summary(trainer, record)


@router.post(
    "/v1/runs/{run_id}/resume",
    status_code=202,
    summary="Take a run up again",
    responses=problems(
        {
            409: "The run neither failed nor was cancelled, or its version's name has been taken meanwhile.",
            422: "The run cannot go on: what it began with is not there any more.",
            429: _FULL,
            503: "The run's folder cannot be written.",
        }
    ),
)
async def resume_run(run_id: _RunId, trainer: Running) -> RunSummary:
    """Put a run that failed or was cancelled at the end of the queue; it goes on from its last checkpoint."""
    await _find(trainer, run_id)
    try:
        record = await trainer.supervisor.resume(run_id, trainer.planner.prepare_resume)
    except TransitionError as error:
        raise Problem(409, "wrong-state", f"{error}.") from error
    except QueueFullError as error:
        raise _queue_full() from error
    return _summary(trainer, record)


async def _submit(trainer: Trainer, response: Response, make: Callable[[], RunRecord]) -> RunSummary:
    try:
        record = await trainer.supervisor.submit(make)
    except QueueFullError as error:
        raise _queue_full() from error
    except OSError as error:
        raise Problem(503, "not-writable", "The directory for runs cannot be written.") from error
    response.headers["Location"] = f"/v1/runs/{record.id}"
    return _summary(trainer, record)


async def _find(trainer: Trainer, run_id: str) -> RunRecord:
    try:
        return await trainer.supervisor.read(run_id)
    except UnknownRunError as error:
        raise Problem(404, "no-such-run", f"There is no such run: {run_id[:_SHOWN]}") from error


def _summary(trainer: Trainer, record: RunRecord) -> RunSummary:
    return RunSummary.of(record, trainer.supervisor.position(record.id), trainer.settings.without_folders)


def _queue_full() -> Problem:
    detail = "As many runs wait as may. Try again when one has ended, or cancel one."
    return Problem(429, "queue-full", detail, retry_after=_RETRY_AFTER_S)
