"""The route of batches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.common.auth import Right, requires
from services.common.auth.caller import caller_of
from services.common.auth.client import client_of
from services.common.http.openapi import problems
from services.common.http.problems import Problem, request_id_of
from services.gateway.batches.batch_stream import MEDIA_TYPE, BatchStream, StreamBounds
from services.gateway.batches.bounds import BatchPlaces, ByteBudget
from services.gateway.batches.line_answering import BatchOrigin, LineAnswering
from services.gateway.batches.line_reader import LineBounds
from services.gateway.batches.openapi import BATCH_BODY, BATCH_HEADERS, BATCH_REPLY
from services.gateway.batches.webhooks import HEADER as WEBHOOK_HEADER
from services.gateway.batches.webhooks import Webhooks, open_webhooks
from services.gateway.intake.idempotency import key_in
from services.gateway.intake.submission import check_encoding
from services.gateway.settings import GatewaySettings
from services.gateway.web.dependencies import TheGateway

_MEDIA_TYPES = frozenset({MEDIA_TYPE, "application/jsonl", "application/x-jsonlines", "application/json-lines"})
_CLOSING_S = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batches:
    """The parts that all batches of a process share.

    Attributes:
        places: How many there are at once.
        budget: Bytes of lines that they hold.
        webhooks: Tell that one is done.
        bounds: What each may take.
    """

    places: BatchPlaces
    budget: ByteBudget
    webhooks: Webhooks
    bounds: StreamBounds


@asynccontextmanager
async def open_batches(settings: GatewaySettings) -> AsyncIterator[Batches]:
    """Take batches for the length of a block."""
    lines = LineBounds(settings.max_body_bytes, settings.upload_deadline_s, settings.batch_idle_s)
    bounds = StreamBounds(lines, settings.batch_in_flight, settings.batch_idle_s, settings.batch_deadline_s)
    async with open_webhooks(settings.webhook_hosts, settings.webhook_secret, _CLOSING_S) as webhooks:
        yield Batches(
            BatchPlaces(settings.max_batches, settings.retry_after_s),
            ByteBudget(settings.batch_bytes),
            webhooks,
            bounds,
        )


class _BatchResponse(Response):
    """The reply to a batch, which is written while the request is read."""

    media_type = MEDIA_TYPE

    def __init__(self, stream: BatchStream, batches: Batches, client: str, webhook: str | None) -> None:
        super().__init__()
        self._stream = stream
        self._batches = batches
        self._client = client
        self._webhook = webhook

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        with self._batches.places.place(self._client):
            summary = await self._stream.run(receive, send)
        counts = self._stream.counts.model_dump()
        _log.info("batch ended", batch=self._stream.batch, complete=bool(summary and summary.complete), **counts)
        if summary is not None and summary.complete and self._webhook is not None:
            self._batches.webhooks.send(self._webhook, summary)


router = APIRouter(dependencies=[requires(Right.ASK)])


@router.post(
    "/vqa/batch",
    summary="Answer a stream of questions, a line each, as the answers come",
    status_code=200,
    response_class=_BatchResponse,
    responses={
        200: BATCH_REPLY,
        **problems(
            {
                400: "The `Idempotency-Key` is none.",
                415: "Not lines of JSON.",
                422: "The address of the webhook is not allowed.",
                503: "There are as many batches as may be: `Retry-After` says when to come back.",
            }
        ),
    },
    openapi_extra={"requestBody": BATCH_BODY, "parameters": BATCH_HEADERS},
    tags=["answering"],
)
async def vqa_batch(request: Request, gateway: TheGateway) -> Response:
    """Answer each line as POST /vqa would; what is wrong with one is said in its place."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() not in _MEDIA_TYPES:
        raise Problem(415, "unsupported-media-type", f"Send a JSON object a line, with Content-Type: {MEDIA_TYPE}.")
    check_encoding(request.headers)
    batches: Batches = request.app.state.batches
    webhook = request.headers.get(WEBHOOK_HEADER)
    if webhook is not None:
        batches.webhooks.check(webhook)
    caller = caller_of(request.scope)
    client = client_of(request.scope)
    origin = BatchOrigin(client, "" if caller is None else caller.id, key_in(request.headers), request_id_of(request))
    stream = BatchStream(
        f"batch_{uuid4().hex}",
        LineAnswering(gateway, origin),
        batches.bounds,
        batches.budget,
        lambda: bool(request.app.state.is_ending),
    )
    return _BatchResponse(stream, batches, client, webhook)
