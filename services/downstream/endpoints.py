"""The routes of OpenAI's API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import ValidationError

from services.common.auth import OPEN, Right, requires
from services.common.auth.client import client_of
from services.common.http.openapi import json_body
from services.common.openai.errors import OpenAIError, from_validation
from services.common.openai.replies import envelopes
from services.downstream.chat import ChatService
from services.downstream.replies import ChatCompletionReply, ModelListReply, ModelReply
from services.downstream.schemas import ChatCompletionRequest

T = TypeVar("T")

_SMALL_BODY = 1_000_000  # bytes that are read in less time than a thread takes to begin
_Name = Annotated[str, Path(description="The model's name.", json_schema_extra={"minLength": 1, "maxLength": 1000})]
_STREAM = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795997844,"model":"downstream-mini-1",'
    '"choices":[{"index":0,"delta":{"role":"assistant","content":"B"},"finish_reason":null}]}\n\n'
    "data: [DONE]\n\n"
)
_CLIENT_LEFT = 499  # nginx's word; nobody reads it, but the access log does


def make_router(service: Callable[[], ChatService]) -> APIRouter:
    """Make GET /health, GET /v1/models, GET /v1/models/{model} and POST /v1/chat/completions.

    Args:
        service: Finds what answers; raises OpenAIError while that is not ready.
    """
    router = APIRouter()
    ask = [requires(Right.ASK)]

    @router.head("/health", dependencies=[OPEN], include_in_schema=False)
    @router.get(
        "/health",
        dependencies=[OPEN],
        summary="Can it answer now? (as vLLM has it)",
        tags=["operation"],
        response_class=Response,
        responses={200: {"description": "It can."}, 503: {"description": "It cannot yet, or not any more."}},
    )
    async def health() -> Response:
        with suppress(OpenAIError):
            return Response(status_code=200 if service().healthy else 503)
        return Response(status_code=503)

    loading = {503: "The model is not loaded yet, or has stopped: `Retry-After` says when to come back."}

    @router.get(
        "/v1/models",
        dependencies=ask,
        summary="List the models",
        tags=["openai"],
        response_model=ModelListReply,
        responses=envelopes(loading),
    )
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [service().model_document()]}

    @router.get(
        "/v1/models/{model:path}",
        dependencies=ask,
        summary="Describe a model",
        tags=["openai"],
        response_model=ModelReply,
        responses=envelopes({404: "No such model is served.", **loading}),
    )
    async def model_by_name(model: _Name) -> dict[str, Any]:
        service().check_model(model)
        return service().model_document()

    @router.post(
        "/v1/chat/completions",
        dependencies=ask,
        summary="Continue a chat",
        tags=["openai"],
        # The body is read by the schema itself: FastAPI would parse images' base64 twice, through Python's json.
        openapi_extra=json_body(ChatCompletionRequest),
        response_model=None,
        responses={
            200: {
                "description": "The reply, or with `stream` its events: each a `chat.completion.chunk`, `[DONE]` the "
                "last.",
                "model": ChatCompletionReply,
                "content": {"text/event-stream": {"example": _STREAM}},
            },
            **envelopes(
                {
                    400: "Malformed JSON, a parameter that is wrong or not served, a picture that cannot be read, or "
                    "more tokens than the model takes; `param` names it.",
                    404: "No such model is served.",
                    413: "The body has too many bytes, or its JSON too many values.",
                    429: "As many samples wait as may, or most of what this client sent lately was refused, and "
                    "others ask: `Retry-After` says when to come back.",
                    504: "No reply within the deadline.",
                    **loading,
                }
            ),
        },
    )
    async def chat_completions(http_request: Request) -> Response:
        try:
            request = await _read(await http_request.body())
        except ValidationError as error:
            raise from_validation(error) from None
        client = client_of(http_request.scope)
        if request.stream:
            return StreamingResponse(
                await service().stream(request, client),
                media_type="text/event-stream",
                headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
            )
        reply = await _unless_disconnected(http_request, service().complete(request, client))
        return Response(status_code=_CLIENT_LEFT) if reply is None else JSONResponse(reply)

    return router


async def _read(body: bytes) -> ChatCompletionRequest:
    if len(body) <= _SMALL_BODY:
        return ChatCompletionRequest.model_validate_json(body)
    return await asyncio.to_thread(ChatCompletionRequest.model_validate_json, body)


async def _unless_disconnected(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """Run work, and cancel it when the client hangs up; None in that case."""
    task = asyncio.ensure_future(work)
    left = asyncio.ensure_future(_disconnection(request))
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        return None
    finally:
        for pending in (task, left):
            pending.cancel()
        await asyncio.gather(task, left, return_exceptions=True)


async def _disconnection(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
