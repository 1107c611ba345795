"""Routes of OpenAI's API: an app that knows only its clients asks the gateway, and gets calibrated answers."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from sse_starlette import ServerSentEvent
from starlette.requests import ClientDisconnect

from prompt4trust.errors import PictureError
from prompt4trust.estimators import ESTIMATORS
from prompt4trust.models import Guidance
from services.common.auth import Right, requires
from services.common.http.openapi import json_body
from services.common.http.problems import Problem
from services.common.openai.errors import OpenAIError, from_problem
from services.common.openai.replies import envelopes
from services.gateway.answering.progress import AnswerProgress
from services.gateway.chat.completion import (
    CalibratedCompletion,
    CalibratedModel,
    CalibratedModelList,
    Chunks,
    completion,
)
from services.gateway.chat.model_names import method_of, model_names
from services.gateway.chat.reader import ChatReader, ReadChat
from services.gateway.chat.request import CalibratedChatRequest
from services.gateway.schemas import VqaReply
from services.gateway.settings import GatewaySettings
from services.gateway.web.answers.answer_stream import AnswerEvents, Queued, WatchedAnswer
from services.gateway.web.answers.answering import answer, unforeseen, unless_gone
from services.gateway.web.dependencies import TheGateway
from services.gateway.web.openapi import KEY_HEADER
from services.gateway.web.refusals import problem_of
from services.gateway.wiring import Gateway

CHAT: Final = "/v1/chat/completions"
_Name = Annotated[str, Path(description="The model's name.", json_schema_extra={"minLength": 1, "maxLength": 1000})]
_STREAM: Final = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1796030000,"model":"calibrated-vqa",'
    '"choices":[{"index":0,"delta":{"reasoning_content":"Weigh the border."},"logprobs":null,"finish_reason":null}]}'
    "\n\ndata: [DONE]\n\n"
)
_STARTED: Final = int(time.time())

router = APIRouter(dependencies=[requires(Right.ASK)], tags=["openai"])


@router.get("/v1/models", summary="List the models that can be asked: a method each")
async def models(gateway: TheGateway) -> CalibratedModelList:
    """List the models, the default one first."""
    methods = gateway.settings.methods
    return CalibratedModelList(object="list", data=[_model(name, methods) for name in model_names(methods)])


@router.get(
    "/v1/models/{model:path}",
    summary="Describe a model",
    responses=envelopes({404: "No such model is offered."}),
)
async def model_by_name(model: _Name, gateway: TheGateway) -> CalibratedModel:
    """Describe one model."""
    return _model(model, gateway.settings.methods)


@router.post(
    CHAT,
    summary="Ask a question about a picture as a chat; the completion carries a calibrated answer, or defers",
    openapi_extra={**json_body(CalibratedChatRequest), "parameters": [KEY_HEADER]},
    response_model=None,
    responses={
        200: {
            "description": "The reply, or with `stream` its events: each a `chat.completion.chunk`, `[DONE]` the last.",
            "model": CalibratedCompletion,
            "content": {"text/event-stream": {"example": _STREAM}},
        },
        **envelopes(
            {
                400: "Malformed JSON, a parameter that is wrong or not served, a chat that is not one question about "
                "one picture, or a picture that cannot be read; `param` names it.",
                404: "No such model is offered.",
                409: "Somebody has judged the answer under this `Idempotency-Key`: it stands.",
                413: "The body or the picture's file is too large.",
                415: "Not JSON.",
                422: "Another question was sent under this `Idempotency-Key`.",
                429: "Most of what this client sent lately was refused, and others ask: see `Retry-After`.",
                502: "The downstream model replied with an error, or with something that is no reply.",
                503: "Busy, or the downstream model is away: `Retry-After` says when to come back.",
                504: "No answer within the deadline.",
            }
        ),
    },
)
async def chat_completions(request: Request, gateway: TheGateway) -> Response:
    """Answer a chat's question, or defer to a person, in OpenAI's form."""
    return await unless_gone(gateway, request, _reply(gateway, request))


async def _reply(gateway: Gateway, request: Request) -> Response:
    reader = ChatReader(gateway.pipeline.models.sampling)

    async def work(progress: AnswerProgress) -> VqaReply:
        return await answer(gateway, request, reader, progress, partial(_refusal, reader))

    # Whether it is to be streamed is known once its body has been read, which is when the first step comes.
    watched = WatchedAnswer(work)
    await watched.begun()
    chat = reader.chat
    assert chat is not None  # noqa: S101 - it has been taken in
    if not chat.request.stream:
        reply = await watched.reply()
        return Response(completion(reply, chat).model_dump_json(), media_type="application/json")
    return AnswerEvents(watched, _events(watched, request, chat), gateway.settings, gateway.metrics.hangups.inc)


async def _events(watched: WatchedAnswer, request: Request, chat: ReadChat) -> AsyncIterator[ServerSentEvent]:
    chunks, is_begun, failed = Chunks(chat), False, None
    try:
        async for step in watched.steps():
            if not is_begun:
                is_begun = True
                yield _event(chunks.begin())
            match step:
                case Queued():
                    pass  # OpenAI's stream has no word for it
                case Guidance():
                    yield _event(chunks.guidance(step.text))
                case VqaReply():
                    for chunk in chunks.end(step):
                        yield _event(chunk)
    except ClientDisconnect:
        return
    except OpenAIError as error:
        failed = error
    except Problem as problem:
        failed = from_problem(problem)
    except Exception as error:  # noqa: BLE001, RUF100 - the reply has begun: this is the last place to say so
        failed = from_problem(unforeseen(error, request))
    if failed is not None:
        yield _event(failed.body())
    yield ServerSentEvent("[DONE]")


def _event(document: Mapping[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def _refusal(reader: ChatReader, error: Exception, settings: GatewaySettings) -> Exception:
    """Turn a reason for which there is no answer into an error of OpenAI's form."""
    if isinstance(error, PictureError):
        place = None if reader.chat is None else reader.chat.picture_place
        return OpenAIError(400, error.detail, param=place, code=error.fault.replace("-", "_"))
    return problem_of(error, settings)


def _model(name: str, methods: tuple[str, ...]) -> CalibratedModel:
    summary = ESTIMATORS[method_of(name, methods)].summary
    return CalibratedModel(id=name, object="model", created=_STARTED, owned_by="trustvqa", description=summary)
