"""The gateway's routes."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from prompt4trust.estimators import ESTIMATORS
from prompt4trust.questions import MAX_OPTIONS, MIN_OPTIONS
from services.common.auth import Right, requires
from services.common.auth.caller import caller_of
from services.common.http.openapi import problems
from services.common.http.openapi.quantities import Count, Share
from services.gateway.question_schemas import MAX_OPTION, MAX_QUESTION
from services.gateway.schemas import VqaReply
from services.gateway.shelves.known_groups import known_groups
from services.gateway.web.answers.answering import answer_in_form, unless_gone
from services.gateway.web.answers.reply_forms import FORMS, NOT_ACCEPTABLE, wanted_forms
from services.gateway.web.answers.vqa_events import EVENTS_REPLY, vqa_events
from services.gateway.web.dependencies import TheGateway
from services.gateway.web.local_user import may
from services.gateway.web.openapi import KEY_HEADER, vqa_body


class About(BaseModel):
    """Models, methods and limits, for a client to show or to check before it asks.

    Attributes:
        notice: What users must be told of the models.
        models: Names of the models.
        methods: Method that is offered -> what it does.
        default_method: The method where a request names none.
        confidence_threshold: Least calibrated confidence at which an answer is given where max_risk is None.
        max_risk: Largest accepted share of wrong answers by default; None for that threshold.
        risk_delta: Probability with which a guaranteed share of errors may be exceeded.
        coverage: Rate at which option sets hold the right option by default.
        atypicality_limit: Atypicality from which on nothing is promised of an answer.
        limits: Bounds on a request: bytes and pixels of its image and the least pixels of a side, characters of the
            question and of an option, the least and the most options.
        signed_in: Name of the key by which a browser is signed in; None for programs, and where no keys are asked for.
        takes_feedback: Whether reviews by whoever asks this are kept.
        groups: What live calibrators and guards tell questions apart by, such as modality -> CT, MR: a question that
            names its own in `groups` has the correction and the promise of these. Empty where all have the same.
    """

    notice: str
    models: dict[str, str]
    methods: dict[str, str]
    default_method: str
    confidence_threshold: Share
    max_risk: Share | None
    risk_delta: Share
    coverage: Share
    atypicality_limit: Share
    limits: dict[str, Count]
    signed_in: str | None
    takes_feedback: bool
    groups: dict[str, list[str]]


_PROBLEMS = problems(
    {
        406: NOT_ACCEPTABLE,
        400: "The body is not valid JSON, or not a valid form, or the `Idempotency-Key` is none.",
        408: "The body did not arrive in time.",
        409: "Somebody has judged the answer under this `Idempotency-Key`: it stands.",
        413: "The body, the image file or its number of pixels is too large.",
        415: "Not JSON or a form, or not an image of a format that is read.",
        422: "Well-formed, but a field or the image cannot be used; `errors` names each field.",
        429: "Most of what this client sent lately was refused, and others ask: see `Retry-After`.",
        502: "The downstream model replied with an error, or with something that is no reply.",
        503: "Busy, or the downstream model is away: `Retry-After` says when to come back.",
        504: "No answer within the deadline.",
    }
)
router = APIRouter(dependencies=[requires(Right.ASK)])


@router.post(
    "/vqa",
    summary="Answer a question about a picture, with a confidence that can be trusted",
    response_model=VqaReply,
    responses={200: {**EVENTS_REPLY, "content": {**EVENTS_REPLY["content"], **FORMS}}, **_PROBLEMS},
    openapi_extra={"requestBody": vqa_body(), "parameters": [KEY_HEADER]},
    tags=["answering"],
)
async def vqa(request: Request, gateway: TheGateway) -> VqaReply | Response:
    """Answer, or defer to a person, with the ground for it.

    A client that will wait for ten seconds only sends `Prefer: wait=10` (RFC 7240).
    """
    forms = wanted_forms(request.headers.get("accept", ""), events=True)
    if forms.is_events:
        return await unless_gone(gateway, request, vqa_events(gateway, request))
    return await unless_gone(gateway, request, answer_in_form(gateway, request, forms))


@router.get("/v1/about", summary="Models, methods and limits", tags=["answering"])
async def about(request: Request, gateway: TheGateway) -> About:
    """List models, methods and limits."""
    settings = gateway.settings
    await gateway.shelves.refresh()
    live = gateway.shelves.calibrators.content.policy
    asks = partial(gateway.pipeline.models.asks, methods=settings.methods, policy=live)
    caller = caller_of(request.scope) if "authorization" not in request.headers else None
    return About(
        notice=settings.notice_text,
        models=settings.downstream_names(settings.downstream_model),
        methods={name: ESTIMATORS[name].summary for name in settings.methods},
        default_method=settings.methods[0],
        confidence_threshold=settings.confidence_threshold,
        max_risk=settings.max_risk,
        risk_delta=settings.risk_delta,
        coverage=settings.coverage,
        atypicality_limit=settings.atypicality_limit,
        limits={
            "image_bytes": settings.max_image_bytes,
            "image_pixels": settings.max_image_pixels,
            "image_side": settings.min_image_side,
            "question_characters": MAX_QUESTION,
            "option_characters": MAX_OPTION,
            "options_least": MIN_OPTIONS,
            "options_most": MAX_OPTIONS,
        },
        signed_in=caller.name if caller is not None else None,
        takes_feedback=gateway.records is not None and may(request, Right.FEEDBACK),
        groups=known_groups(gateway.shelves, asks),
    )
