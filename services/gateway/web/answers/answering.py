"""One way from a request to its reply, whatever form the request has and however the reply is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

import structlog
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from services.common.http.problems import Problem, internal_error, request_id_of
from services.gateway.answering.progress import UNWATCHED, AnswerProgress
from services.gateway.answering.reply import Answered
from services.gateway.intake.submission import SubmissionReader, read_submission
from services.gateway.results.result import result_of, source_of
from services.gateway.schemas import VqaReply
from services.gateway.settings import GatewaySettings
from services.gateway.web.answers.reply_forms import WantedForms, result_response
from services.gateway.web.refusals import REFUSED, problem_of
from services.gateway.wiring import Gateway

_CLIENT_LEFT = 499  # nginx's word; nobody reads it but the log
_log = structlog.get_logger(__name__)
_Reply = TypeVar("_Reply")


async def answer(
    gateway: Gateway,
    request: Request,
    read: SubmissionReader = read_submission,
    progress: AnswerProgress = UNWATCHED,
    refusal: Callable[[Exception, GatewaySettings], Exception] = problem_of,
) -> VqaReply:
    """Answer a request, count the answer and log it.

    Args:
        gateway: The gateway.
        request: The request, its body not yet read.
        read: Reads the body.
        progress: Hears of the answer's steps.
        refusal: Turns a reason for which there is no answer, one of REFUSED, into the error that the client gets.

    Raises:
        Exception: That error; or the reader's, where the request is not taken.
        ClientDisconnect: If the client left.
    """
    try:
        answered, recorded = await gateway.pipeline.answer(request, read, progress)
    except REFUSED as error:
        raise refusal(error, gateway.settings) from None
    return _told(gateway, answered, recorded=recorded)


async def answer_in_form(gateway: Gateway, request: Request, forms: WantedForms) -> VqaReply | Response:
    """Answer a request, count the answer and log it, and write it in the form that the client wants most.

    Raises:
        Problem: If there is no answer, or none in such a form: that is said before a model is asked.
        ClientDisconnect: If the client left.
    """
    try:
        answered, recorded = await gateway.pipeline.answer(request, check=forms.check)
    except REFUSED as error:
        raise problem_of(error, gateway.settings) from None
    reply = _told(gateway, answered, recorded=recorded)
    form = forms.choose(source_of(answered.query))
    if form is None:
        return reply
    return await result_response(
        result_of(answered), form, **({"Content-Location": f"/vqa/{reply.id}"} if recorded else {})
    )


def _told(gateway: Gateway, answered: Answered, *, recorded: bool) -> VqaReply:
    reply = answered.reply(recorded=recorded)
    gateway.metrics.count(reply)
    # Joins the answer's id to the request's; nothing of what was asked or answered.
    _log.info("answered", answer_id=reply.id, decision=reply.decision, degraded=reply.degraded, recorded=reply.recorded)
    return reply


async def unless_gone(gateway: Gateway, request: Request, reply: Awaitable[_Reply]) -> _Reply | Response:
    """Wait for a reply to a client that may leave, or send its body so slowly that the connection is of no use."""
    try:
        return await reply
    except ClientDisconnect:
        gateway.metrics.hangups.inc()
        return Response(status_code=_CLIENT_LEFT)
    except Problem as refusal:
        if refusal.status != HTTPStatus.REQUEST_TIMEOUT:
            raise
        # The rest of the body may dribble in for ever.
        response = refusal.response(request_id_of(request))
        response.headers["Connection"] = "close"
        return response


def unforeseen(error: Exception, request: Request) -> Problem:
    """Log an error that nobody foresaw, once a reply has begun; return what its client is told."""
    _log.error("unforeseen error", path=request.url.path, exc_info=error)
    return internal_error()
