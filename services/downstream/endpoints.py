"""The routes of OpenAI's API."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from services.common.auth import OPEN, Right, requires
from services.common.auth.client import client_of
from services.common.http.openapi import json_body
from services.common.openai.errors import OpenAIError
from services.common.openai.exchange import read_body, streamed_reply, whole_reply
from services.common.openai.replies import envelopes
from services.downstream.chat import ChatService
from services.downstream.replies import ChatCompletionReply, ModelListReply, ModelReply
from services.downstream.responses.replies import ResponsesReply
from services.downstream.responses.requests import ResponsesRequest
from services.downstream.responses.service import begin_response, respond
from services.downstream.schemas import ChatCompletionRequest

_Name = Annotated[str, Path(description="The model's name.", json_schema_extra={"minLength": 1, "maxLength": 1000})]
_STREAM = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795997844,"model":"downstream-mini-1",'
    '"choices":[{"index":0,"delta":{"role":"assistant","content":"B"},"finish_reason":null}]}\n\n'
    "data: [DONE]\n\n"
)
_RESPONSE_STREAM = (
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":4,'
    '"item_id":"msg_1","output_index":0,"content_index":0,"delta":"B","logprobs":[]}\n\n'
)


def make_router(service: Callable[[], ChatService]) -> APIRouter:
    """Make GET /health, GET /v1/models, GET /v1/models/{model}, POST /v1/chat/completions and POST /v1/responses.

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

    refusals = envelopes(
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
    )

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

    def writes(
        path: str, summary: str, body: type[BaseModel], reply: type[BaseModel], events: str, example: str
    ) -> Callable[[Callable[[Request], Coroutine[Any, Any, Response]]], Callable[..., Any]]:
        """Declare a route at which the model writes: whole, or with `stream` by events."""
        written = {
            "description": f"The reply, or with `stream` its events: {events} the last.",
            "model": reply,
            "content": {"text/event-stream": {"example": example}},
        }
        return router.post(
            path,
            dependencies=ask,
            summary=summary,
            tags=["openai"],
            # The body is read by the schema itself: FastAPI would parse images' base64 twice, through Python's json.
            openapi_extra=json_body(body),
            response_model=None,
            responses={200: written, **refusals},
        )

    @writes(
        "/v1/chat/completions",
        "Continue a chat",
        ChatCompletionRequest,
        ChatCompletionReply,
        "each a `chat.completion.chunk`, `[DONE]`",
        _STREAM,
    )
    async def chat_completions(http_request: Request) -> Response:
        request = await read_body(http_request, ChatCompletionRequest)
        client = client_of(http_request.scope)
        if request.stream:
            return streamed_reply(await service().stream(request, client))
        return await whole_reply(http_request, service().complete(request, client))

    @writes(
        "/v1/responses",
        "Write a response",
        ResponsesRequest,
        ResponsesReply,
        "`response.completed`, `response.incomplete` or `response.failed`",
        _RESPONSE_STREAM,
    )
    async def responses(http_request: Request) -> Response:
        request = await read_body(http_request, ResponsesRequest)
        client = client_of(http_request.scope)
        if request.stream:
            return streamed_reply(await begin_response(service(), request, client))
        return await whole_reply(http_request, respond(service(), request, client))

    return router
