"""GET /calibration, for people and for programs, and what administrators do about an alarm."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, StrictStr

from services.common.auth import Right, requires
from services.common.http.openapi import json_body, problems
from services.common.http.problems import Problem
from services.common.http.question_fields import plain_text
from services.gateway.errors import UnknownAlarmError
from services.gateway.intake.json_body import check_fields, read_object
from services.gateway.monitoring.administration import headers_of
from services.gateway.monitoring.calibration_page import render_page
from services.gateway.monitoring.report import CalibrationReport
from services.gateway.records.errors import RecordRefusedError, RecordsAwayError
from services.gateway.records.schemas import Comment, Who
from services.gateway.web.content_negotiation import prefers_html
from services.gateway.web.dependencies import TheGateway
from services.gateway.web.local_user import may
from services.gateway.web.refusals import record_refused_problem, records_away_problem

_MAX_BODY = 20_000
_MAX_ID = 40
_FRESH = {"Cache-Control": "no-cache", "Vary": "Accept", "X-Content-Type-Options": "nosniff"}

_ASK = [requires(Right.ASK)]

router = APIRouter(tags=["monitoring"])


class AcknowledgeRequest(BaseModel):
    """The acknowledgement of an alarm.

    Attributes:
        who: The person or program that took note of it, in at most 100 characters.
        note: Findings, in at most 2 000 characters, or None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: Who
    note: Comment | None = None


def _alarm_id(text: str) -> str:
    return plain_text(text, what="the alarm's id", limit=_MAX_ID)


@router.get(
    "/calibration",
    dependencies=_ASK,
    summary="Whether calibrated confidence holds on reviewed answers",
    response_model=CalibrationReport,
    responses={
        200: {
            "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>"}},
            "description": "As JSON, or as a page where HTML is preferred.",
        }
    },
)
async def calibration(request: Request, gateway: TheGateway) -> Response:
    """Give live figures, the test's evidence and the alarms."""
    report = gateway.monitor.report
    if prefers_html(request.headers.get("accept", "")):
        administers = may(request, Right.ADMIN)
        page = await anyio.to_thread.run_sync(partial(render_page, report, administers=administers))
        headers = {**_FRESH, **headers_of(administers=administers)}
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)
    return await _as_json(report)


@router.get(
    "/calibration.json", dependencies=_ASK, summary="The same, as JSON in any case", response_model=CalibrationReport
)
async def calibration_json(gateway: TheGateway) -> Response:
    """Give the same as JSON, whatever is accepted."""
    return await _as_json(gateway.monitor.report)


async def _as_json(report: CalibrationReport) -> Response:
    # Many streams with their histories take a while to write: not on the event loop.
    content = await anyio.to_thread.run_sync(report.model_dump_json)
    return Response(content, media_type="application/json", headers=_FRESH)


@router.post(
    "/calibration/alarms/{alarm_id}/acknowledge",
    dependencies=[requires(Right.ADMIN)],
    summary="Take note of an alarm (administrators)",
    response_model=CalibrationReport,
    openapi_extra=json_body(AcknowledgeRequest),
    responses=problems(
        {
            404: "There is no such alarm, or it has been acknowledged already.",
            503: "The database of records is away: `Retry-After` says when to come back.",
        }
    ),
)
async def acknowledge(
    alarm_id: Annotated[
        StrictStr,
        AfterValidator(_alarm_id),
        Path(description="The alarm's id.", json_schema_extra={"minLength": 1, "maxLength": _MAX_ID}),
    ],
    request: Request,
    gateway: TheGateway,
) -> Response:
    """Let an alarm stand no longer; its stream begins anew, and what was said is kept."""
    must = "must be an object with who, and a note where there is something to say"
    timeout_s = gateway.settings.upload_deadline_s
    fields = await read_object(request, must, max_bytes=_MAX_BODY, timeout_s=timeout_s)
    word = check_fields(AcknowledgeRequest, fields)
    try:
        await gateway.monitor.acknowledge(alarm_id, word.who, word.note)
    except UnknownAlarmError:
        raise Problem(404, "unknown-alarm", "There is no such alarm, or it has been acknowledged already.") from None
    except RecordRefusedError:
        raise record_refused_problem() from None
    except RecordsAwayError:
        raise records_away_problem(gateway.settings.retry_after_s) from None
    return await _as_json(gateway.monitor.report)
