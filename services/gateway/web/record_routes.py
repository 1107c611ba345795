"""Routes of records: feedback for whoever has an answer, the records themselves for administrators."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from prompt4trust.pictures import media_type_of
from services.common.auth import Right, requires
from services.common.auth.authenticator import key_of
from services.common.http.openapi import json_body, problems
from services.common.http.problems import Problem
from services.gateway.intake.json_body import check_fields, read_object, refuse
from services.gateway.records.entities import Slice
from services.gateway.records.errors import (
    FeedbackFullError,
    FeedbackRefusedError,
    RecordRefusedError,
    RecordsAwayError,
    UnknownAnswerError,
)
from services.gateway.records.records import Records
from services.gateway.records.schemas import (
    CountReply,
    CountsReply,
    Exported,
    ExportPage,
    FeedbackReply,
    FeedbackRequest,
    RecordReply,
    Time,
)
from services.gateway.web.dependencies import TheGateway
from services.gateway.web.local_user import may
from services.gateway.web.openapi import RECORD_PROBLEMS
from services.gateway.web.refusals import record_refused_problem, records_away_problem
from services.gateway.wiring import Gateway

_MAX_BODY = 20_000
_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_FILE = {"schema": {"type": "string", "format": "binary"}}
_ADMIN = [requires(Right.ADMIN)]
_AnswerId = Annotated[str, Path(description="The answer's id.", json_schema_extra={"format": "uuid"})]
_CURSOR = r"^[0-9]{8}T[0-9]{6}\.[0-9]{6}~[0-9a-fA-F-]{32,36}$"

router = APIRouter(tags=["records"])


def _records_of(gateway: Gateway) -> Records:
    if gateway.records is None:
        raise Problem(404, "records-off", "This gateway keeps no records, so that there can be no feedback either.")
    return gateway.records


@contextmanager
def _told(gateway: Gateway) -> Iterator[None]:
    """Turn errors of the records into problem documents."""
    try:
        yield
    except UnknownAnswerError:
        raise Problem(
            404,
            "unknown-answer",
            "There is no record of such an answer: its reply said that it was not recorded, its time to be kept is "
            "over, or there never was one.",
        ) from None
    except FeedbackRefusedError as error:
        raise Problem(422, "feedback-refused", str(error)) from None
    except FeedbackFullError:
        raise Problem(409, "feedback-full", "This answer has as much feedback as is kept of one.") from None
    except RecordRefusedError:
        raise record_refused_problem() from None
    except RecordsAwayError:
        raise records_away_problem(gateway.settings.retry_after_s) from None


def _checked(answer_id: str) -> str:
    """Answers' ids are UUIDs; anything else need not be looked for."""
    try:
        return str(uuid.UUID(answer_id)) if len(answer_id) == 36 else ""
    except ValueError:
        return ""


@router.post(
    "/vqa/{answer_id}/feedback",
    dependencies=[requires(Right.FEEDBACK)],
    status_code=201,
    summary="Say what was right",
    openapi_extra=json_body(FeedbackRequest),
    responses={**RECORD_PROBLEMS, **problems({409: "The answer has as much feedback as is kept of one."})},
)
async def give_feedback(answer_id: _AnswerId, request: Request, gateway: TheGateway) -> FeedbackReply:
    """Keep what somebody says of an answer; what was said before stays beside it.

    It takes the answer's id, which cannot be guessed; and a key, or without keys to sit at this machine: reviews can
    raise an alarm that makes everything defer.
    """
    if not may(request, Right.FEEDBACK):
        raise Problem(
            403,
            "feedback-closed",
            "Without keys, reviews are taken from this machine alone: whoever may review elsewhere needs a key.",
        )
    records = _records_of(gateway)
    must = "must be an object with who, and correct_option or right"
    timeout_s = gateway.settings.upload_deadline_s
    fields = await read_object(request, must, max_bytes=_MAX_BODY, timeout_s=timeout_s)
    said = check_fields(FeedbackRequest, fields).said(None if (key := key_of(request.scope)) is None else key.name)
    with _told(gateway):
        row = await records.store.give_feedback(_checked(answer_id), said)
    records.metrics.feedback.labels("true" if row.correct else "false").inc()
    return FeedbackReply.of(row)


@router.get(
    "/vqa/{answer_id}", dependencies=_ADMIN, summary="Read a record (administrators)", responses=RECORD_PROBLEMS
)
async def read_record(answer_id: _AnswerId, response: Response, gateway: TheGateway) -> RecordReply:
    """Give a record with the feedback on it."""
    with _told(gateway):
        stored = await _records_of(gateway).store.get(_checked(answer_id))
    response.headers.update(_PRIVATE)
    return RecordReply.of(stored)


@router.get(
    "/vqa/{answer_id}/picture",
    dependencies=_ADMIN,
    summary="Read a record's picture, where it is kept (administrators)",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": _FILE, "image/png": _FILE}, "description": "The picture as the model got it."},
        **RECORD_PROBLEMS,
    },
)
async def read_picture(answer_id: _AnswerId, gateway: TheGateway) -> Response:
    """Give the picture as the model got it."""
    with _told(gateway):
        file = await _records_of(gateway).store.picture(_checked(answer_id))
    return Response(file, media_type=media_type_of(file), headers=_PRIVATE)


def _named(description: str) -> Any:
    return Query(max_length=300, pattern=r"^[^\x00]+$", description=description)


def _slice(
    downstream: Annotated[str | None, _named("Answered by this downstream model.")] = None,
    policy: Annotated[str | None, _named("Answered with guidance of this policy version.")] = None,
    estimator: Annotated[str | None, _named("Answered by this method.")] = None,
    answer_template: Annotated[str | None, _named("Answered to this wording.")] = None,
    since: Annotated[Time | None, Query(description="Answered at this time or later.")] = None,
    until: Annotated[Time | None, Query(description="Answered before this time.")] = None,
) -> Slice:
    return Slice(downstream, policy, estimator, answer_template, since, until)


_Wanted = Annotated[Slice, Depends(_slice)]


@router.get(
    "/v1/feedback", dependencies=_ADMIN, summary="List reviewed answers (administrators)", responses=RECORD_PROBLEMS
)
async def export(
    response: Response,
    gateway: TheGateway,
    wanted: _Wanted,
    limit: Annotated[int, Query(ge=1, le=5000, description="Most answers of a page.")] = 1000,
    cursor: Annotated[str | None, Query(pattern=_CURSOR, description="`next_cursor` of the page before.")] = None,
) -> ExportPage:
    """List reviewed answers, each by the latest word on it and in the order of these.

    An answer of which somebody speaks while the pages are read may come twice; the later one counts.
    """
    after = None if cursor is None else _read_cursor(cursor)
    with _told(gateway):
        found = await _records_of(gateway).store.export(wanted, after=after, limit=limit)
    response.headers.update(_PRIVATE)
    last = found[-1].answer if len(found) == limit else None
    return ExportPage(
        answers=list(map(Exported.of, found)),
        next_cursor=None if last is None else f"{last.reviewed_at:%Y%m%dT%H%M%S.%f}~{last.id}",
    )


@router.get(
    "/v1/feedback/counts",
    dependencies=_ADMIN,
    summary="Count what was reviewed (administrators)",
    responses=RECORD_PROBLEMS,
)
async def count(gateway: TheGateway, wanted: _Wanted) -> CountsReply:
    """Count answers to multiple choice and the reviewed ones among them, by calibration key and decision."""
    with _told(gateway):
        found = await _records_of(gateway).store.counts(wanted)
    return CountsReply(counts=list(map(CountReply.of, found)))


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    at, _, answer_id = cursor.partition("~")
    try:
        return datetime.strptime(f"{at}+0000", "%Y%m%dT%H%M%S.%f%z"), str(uuid.UUID(answer_id))
    except ValueError:
        refuse("cursor", "must be a next_cursor of an earlier reply")
