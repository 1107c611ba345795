"""Routes of CDS Hooks: discovery, the service, and its feedback."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from services.common.auth import OPEN, Right, requires
from services.common.auth.caller import caller_of
from services.common.http.openapi import json_body, problems
from services.common.http.problems import Problem
from services.gateway.cds_hooks.cards import card_of
from services.gateway.cds_hooks.feedback import review_of
from services.gateway.cds_hooks.hook_reader import HookReader
from services.gateway.cds_hooks.schemas import (
    DISCOVERY_PATH,
    FEEDBACK_PATH,
    HOOK,
    SERVICE_ID,
    SERVICE_PATH,
    CardOutcome,
    CdsService,
    CdsServices,
    HookCards,
    HookFeedback,
    HookFeedbackReply,
    HookRequest,
)
from services.gateway.intake.json_body import check_fields, read_object
from services.gateway.records.entities import FeedbackRow
from services.gateway.records.records import Records
from services.gateway.web.answers.answering import answer, unless_gone
from services.gateway.web.dependencies import TheGateway
from services.gateway.web.record_access import records_of, require_reviewer, told_as_problems
from services.gateway.wiring import Gateway

_MAX_FEEDBACK_BYTES: Final = 400_000
_OFF = "This gateway does not take part in CDS Hooks: its setting cds_hooks_url is empty."
_SERVICE: Final = CdsService(
    hook=HOOK,
    title="Question about a medical picture",
    description="Answers a question about a picture with a confidence that can be trusted, or leaves it to the user.",
    id=SERVICE_ID,
    prefetch={"image": "Binary/{{context.binaryId}}"},
    usage_requirements="The context holds a question, and options where there are some. The picture is prefetch.image "
    "or context.image; nothing is fetched from the client's FHIR server.",
)
_ANSWERING: Final = problems(
    {
        400: "The body is not valid JSON.",
        404: "This gateway does not take part in CDS Hooks.",
        408: "The body did not arrive in time.",
        409: "Somebody has judged the answer under this `Idempotency-Key`: it stands.",
        412: "The picture is neither in `prefetch` nor in `context`.",
        413: "The body, the picture or its number of pixels is too large.",
        415: "Not JSON, or not a picture of a format that is read.",
        422: "Well-formed, but a field or the picture cannot be used; `errors` names each field.",
        429: "Most of what this client sent lately was refused, and others ask: see `Retry-After`.",
        502: "The downstream model replied with an error, or with something that is no reply.",
        503: "Busy, or the downstream model is away: `Retry-After` says when to come back.",
        504: "No answer within the deadline.",
    }
)
router = APIRouter(tags=["cds-hooks"])


@router.get(
    DISCOVERY_PATH,
    dependencies=[OPEN],
    summary="List the services of CDS Hooks",
    responses=problems({404: "This gateway does not take part in CDS Hooks."}),
    response_model_exclude_none=True,
)
async def discover_hooks(gateway: TheGateway) -> CdsServices:
    """List the services, as CDS Hooks 2.0 has its clients discover them."""
    _address_of(gateway)
    return CdsServices(services=[_SERVICE])


@router.post(
    SERVICE_PATH,
    dependencies=[requires(Right.ASK)],
    summary="Answer a hook's question by a card",
    openapi_extra=json_body(HookRequest),
    responses=_ANSWERING,
    response_model=HookCards,
    response_model_exclude_none=True,
)
async def call_hook(request: Request, gateway: TheGateway) -> HookCards | Response:
    """Answer the question, or leave it to the user: one card either way."""
    return await unless_gone(gateway, request, _cards(gateway, request))


@router.post(
    FEEDBACK_PATH,
    dependencies=[requires(Right.FEEDBACK)],
    summary="Say what became of cards",
    openapi_extra=json_body(HookFeedback),
    responses=problems(
        {
            403: "The key or token does not allow it, or there are no keys and the request is not from this machine.",
            404: "There is no record of a card's answer, or no CDS Hooks here.",
            409: "An answer has as much feedback as is kept of one.",
        }
    ),
)
async def give_card_feedback(request: Request, gateway: TheGateway) -> HookFeedbackReply:
    """Keep as reviews what says whether an answer was right; a card that was set aside for other reasons says nothing.

    All are looked at before the first is kept.
    """
    _address_of(gateway)
    require_reviewer(request)
    records = records_of(gateway)
    timeout_s = gateway.settings.upload_deadline_s
    fields = await read_object(
        request, "must be an object with feedback", max_bytes=_MAX_FEEDBACK_BYTES, timeout_s=timeout_s
    )
    outcomes = check_fields(HookFeedback, fields).feedback
    caller = caller_of(request.scope)
    with told_as_problems(gateway):
        kept = await _keep(records, outcomes, None if caller is None else caller.name)
    for row in kept:
        records.metrics.feedback.labels("true" if row.correct else "false").inc()
    return HookFeedbackReply(taken=len(outcomes), reviews=len(kept))


async def _cards(gateway: Gateway, request: Request) -> HookCards:
    url = _address_of(gateway)
    read = HookReader()
    reply = await answer(gateway, request, read)
    assert read.ask is not None  # noqa: S101 - there is no reply without a question
    return HookCards(cards=[card_of(reply, read.ask.options, url=url, notice=gateway.settings.notice_text)])


async def _keep(records: Records, outcomes: list[CardOutcome], key_name: str | None) -> list[FeedbackRow]:
    reviews = []
    for outcome in outcomes:
        answer_id = outcome.card.lower()
        given = (await records.store.get(answer_id)).row["decision"] == "answer"
        said = review_of(outcome, given=given, who=key_name or "CDS Hooks", key_name=key_name)
        reviews.append((answer_id, said))
    return [await records.store.give_feedback(answer_id, said) for answer_id, said in reviews if said is not None]


def _address_of(gateway: Gateway) -> str:
    url = gateway.settings.cds_hooks_url
    if url is None:
        raise Problem(404, "cds-hooks-off", _OFF)
    return url
