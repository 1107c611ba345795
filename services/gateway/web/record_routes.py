"""Routes of records: feedback for whoever has an answer, the records themselves for administrators."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from prompt4trust.pictures import media_type_of
from prompt4trust.pictures.dicom import DicomSource
from services.common.auth import Right, requires
from services.common.auth.caller import caller_of
from services.common.http.openapi import json_body, problems
from services.common.http.problems import Problem
from services.gateway.intake.json_body import check_fields, read_object, refuse
from services.gateway.records.audit.entry import Kind
from services.gateway.records.entities import Slice, StoredAnswer
from services.gateway.records.erasing import erase
from services.gateway.records.errors import UnknownAnswerError
from services.gateway.records.export_schemas import CountReply, CountsReply, Exported, ExportPage
from services.gateway.records.schemas import FeedbackReply, FeedbackRequest, RecordReply, Time
from services.gateway.results.result import AnswerResult
from services.gateway.web.administration.audit_notes import note_act
from services.gateway.web.answers.reply_forms import FORMS, NOT_ACCEPTABLE, result_response, wanted_forms
from services.gateway.web.dependencies import TheGateway
from services.gateway.web.local_user import may
from services.gateway.web.openapi import RECORD_PROBLEMS
from services.gateway.web.record_access import records_of, require_reviewer, told_as_problems

_MAX_BODY = 20_000
_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_FILE = {"schema": {"type": "string", "format": "binary"}}
_ADMIN = [requires(Right.ADMIN)]
_AnswerId = Annotated[str, Path(description="The answer's id.", json_schema_extra={"format": "uuid"})]
_CURSOR = r"^[0-9]{8}T[0-9]{6}\.[0-9]{6}~[0-9a-fA-F-]{32,36}$"

router = APIRouter(tags=["records"])


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
    require_reviewer(request)
    records = records_of(gateway)
    must = "must be an object with who, and correct_option or right"
    timeout_s = gateway.settings.upload_deadline_s
    fields = await read_object(request, must, max_bytes=_MAX_BODY, timeout_s=timeout_s)
    said = check_fields(FeedbackRequest, fields).said(
        None if (caller := caller_of(request.scope)) is None else caller.name
    )
    with told_as_problems(gateway):
        row = await records.store.give_feedback(_checked(answer_id), said)
    records.metrics.feedback.labels("true" if row.correct else "false").inc()
    return FeedbackReply.of(row)


@router.get(
    "/vqa/{answer_id}",
    dependencies=[requires(Right.ASK)],
    summary="Read a record: whoever asked, and administrators",
    response_model=RecordReply,
    responses={
        200: {"content": FORMS, "description": "The record; or the result by FHIR, or as a DICOM report."},
        **RECORD_PROBLEMS,
        **problems(
            {
                403: "Without keys, records are for this machine's user alone.",
                406: NOT_ACCEPTABLE,
                409: "The texts of the answer are not kept, so that it cannot be told in such a form.",
            }
        ),
    },
)
async def read_record(
    answer_id: _AnswerId, request: Request, response: Response, gateway: TheGateway
) -> RecordReply | Response:
    """Give a record, or the result in the form that the client wants.

    By a key or token, what was asked by the same. Feedback, which names people, is for administrators, who see all.
    """
    forms = wanted_forms(request.headers.get("accept", ""), events=False)
    is_admin = may(request, Right.ADMIN)
    caller = caller_of(request.scope)
    if caller is None and not (is_admin and gateway.settings.is_loopback):
        raise Problem(403, "administration-closed", "Without keys, records are for this machine's user alone.")
    with told_as_problems(gateway):
        stored = await records_of(gateway).store.get(_checked(answer_id))
        if not is_admin and (caller is None or stored.row["asker"] != caller.id):
            # As if there were none: nobody learns that there is.
            raise UnknownAnswerError(answer_id)
    await note_act(request, gateway, Kind.READ, {"answer": stored.row["id"], "what": "record"})
    response.headers.update(_PRIVATE)
    record = RecordReply.of(stored, shows_feedback=is_admin)
    form = forms.choose(None if stored.row["source"] is None else DicomSource(**stored.row["source"]))
    if form is None:
        return record
    return await result_response(_kept_result(stored), form, **_PRIVATE)


def _kept_result(stored: StoredAnswer) -> AnswerResult:
    if stored.row["result"] is None:
        raise Problem(
            409,
            "result-not-kept",
            "The texts of this answer are not kept (record_texts), so that it can be had as application/json alone.",
        )
    return AnswerResult.told_again(stored.row["result"], stored.row["source"])


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
async def read_picture(answer_id: _AnswerId, request: Request, gateway: TheGateway) -> Response:
    """Give the picture as the model got it."""
    with told_as_problems(gateway):
        file = await records_of(gateway).store.picture(_checked(answer_id))
    await note_act(request, gateway, Kind.READ, {"answer": _checked(answer_id), "what": "picture"})
    return Response(file, media_type=media_type_of(file), headers=_PRIVATE)


@router.delete(
    "/vqa/{answer_id}",
    dependencies=_ADMIN,
    status_code=204,
    summary="Erase a record's content (administrators)",
    responses=RECORD_PROBLEMS,
)
async def erase_record(answer_id: _AnswerId, request: Request, gateway: TheGateway) -> Response:
    """Erase question, answer's text, guidance, picture and comments; ids, figures and keyed hashes stay.

    The audit log says that it was done, and by whom. To erase what was erased changes nothing.
    """
    caller = caller_of(request.scope)
    name = None if caller is None else caller.name
    with told_as_problems(gateway):
        await erase(records_of(gateway).store, _checked(answer_id), name or "this machine's user", name)
    return Response(status_code=204)


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
    with told_as_problems(gateway):
        found = await records_of(gateway).store.export(wanted, after=after, limit=limit)
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
    with told_as_problems(gateway):
        found = await records_of(gateway).store.counts(wanted)
    return CountsReply(counts=list(map(CountReply.of, found)))


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    at, _, answer_id = cursor.partition("~")
    try:
        return datetime.strptime(f"{at}+0000", "%Y%m%dT%H%M%S.%f%z"), str(uuid.UUID(answer_id))
    except ValueError:
        refuse("cursor", "must be a next_cursor of an earlier reply")
