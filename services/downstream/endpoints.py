"""The routes of OpenAI's API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import ValidationError

from services.common.auth import OPEN, Right, requires
from services.common.auth.client import client_of
from services.downstream.chat import ChatService
from services.downstream.errors import OpenAIError, from_validation
from services.downstream.schemas import ChatCompletionRequest

REQUEST = ChatCompletionRequest.__name__
T = TypeVar("T")

_SMALL_BODY = 1_000_000  # bytes that are read in less time than a thread takes to begin
_SCHEMAS = "#/components/schemas/"
_CLIENT_LEFT = 499  # nginx's word; nobody reads it, but the access log does


def add_request_schema(document: dict[str, Any]) -> None:
    """Add the schemas of a request's body to an OpenAPI document, where its references lead."""
    schema = ChatCompletionRequest.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= schema.pop("$defs", {}) | {REQUEST: schema}


def make_router(service: Callable[[], ChatService]) -> APIRouter:
    """Make GET /health, GET /v1/models, GET /v1/models/{model} and POST /v1/chat/completions.

    Args:
        service: Finds what answers; raises OpenAIError while that is not ready.
    """
    router = APIRouter()
    ask = [requires(Right.ASK)]

    @router.head("/health", dependencies=[OPEN], include_in_schema=False)
    @router.get("/health", dependencies=[OPEN], summary="Can it answer now? (as vLLM has it)", tags=["operation"])
    async def health() -> Response:
        with suppress(OpenAIError):
            return Response(status_code=200 if service().healthy else 503)
        return Response(status_code=503)

    @router.get("/v1/models", dependencies=ask, summary="List the models", tags=["openai"])
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [service().model_document()]}

    @router.get("/v1/models/{model:path}", dependencies=ask, summary="Describe a model", tags=["openai"])
    async def model_by_name(model: str) -> dict[str, Any]:
        service().check_model(model)
        return service().model_document()

    # The body is read by the schema itself: FastAPI would parse images' base64 twice, through Python's json.
    body = {"content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{REQUEST}"}}}, "required": True}

    @router.post(
        "/v1/chat/completions",
        dependencies=ask,
        summary="Continue a chat",
        tags=["openai"],
        openapi_extra={"requestBody": body},
        response_model=None,
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
