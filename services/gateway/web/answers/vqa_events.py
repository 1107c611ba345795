"""Events of POST /vqa for a client that watches: its place in line, guidance, the reply or a problem document."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

from fastapi import Request, Response
from sse_starlette import ServerSentEvent
from starlette.requests import ClientDisconnect

from prompt4trust.models import Guidance
from services.common.http.problems import Problem, request_id_of
from services.gateway.answering.progress import AnswerProgress
from services.gateway.schemas import VqaReply
from services.gateway.web.answers.answer_stream import AnswerEvents, Queued, WatchedAnswer
from services.gateway.web.answers.answering import answer, unforeseen
from services.gateway.wiring import Gateway

_EXAMPLE: Final = (
    'event: queued\ndata: {"place": 0}\n\n'
    'event: guidance\ndata: {"text": "Weigh the border.", "version": "policy-1"}\n\n'
    'event: error\ndata: {"type": "urn:trustvqa:problem:downstream-timeout", "title": "Downstream timeout", '
    '"status": 504, "detail": "The downstream model did not reply in time: try again later."}\n\n'
)
EVENTS_REPLY: Final[dict[str, Any]] = {
    "description": "The reply; or for a client that accepts `text/event-stream` events: `queued` (`place` in line, 0 "
    "once it is its turn), `guidance` (`text`, `version`), and at last `answer` (the reply), `deferral` (the reply, "
    "where the question is left to a person) or `error` (a problem document).",
    "content": {"text/event-stream": {"example": _EXAMPLE}},
}
"""OpenAPI's description of the reply of POST /vqa."""


async def vqa_events(gateway: Gateway, request: Request) -> Response:
    """Answer a request by events; what is refused before the question is taken in is raised, as without events."""

    async def work(progress: AnswerProgress) -> VqaReply:
        return await answer(gateway, request, progress=progress)

    watched = WatchedAnswer(work)
    await watched.begun()
    return AnswerEvents(watched, _events(watched, request), gateway.settings, partial(gateway.metrics.hangups.inc))


async def _events(watched: WatchedAnswer, request: Request) -> AsyncIterator[ServerSentEvent]:
    problem: Problem | None = None
    try:
        async for step in watched.steps():
            match step:
                case Queued():
                    yield ServerSentEvent(json.dumps({"place": step.place}), event="queued")
                case Guidance():
                    yield ServerSentEvent(_json({"text": step.text, "version": step.version}), event="guidance")
                case VqaReply():
                    # An app may show what comes as an answer without looking at the decision.
                    name = "answer" if step.decision == "answer" else "deferral"
                    yield ServerSentEvent(step.model_dump_json(), event=name)
    except ClientDisconnect:
        return
    except Problem as error:
        problem = error
    except Exception as error:  # noqa: BLE001, RUF100 - the reply has begun: this is the last place to say so
        problem = unforeseen(error, request)
    if problem is not None:
        yield ServerSentEvent(_json(problem.document(request_id_of(request))), event="error")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
