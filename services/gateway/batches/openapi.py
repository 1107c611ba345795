"""Parts of the OpenAPI document for batches, whose bodies are lines of JSON."""

from __future__ import annotations

from typing import Any, Final

from services.common.http.openapi import json_lines
from services.gateway.batches.batch_stream import MEDIA_TYPE
from services.gateway.batches.schemas import MAX_LINE_ID, BatchEnd, BatchLineReply
from services.gateway.batches.webhooks import HEADER, MAX_ADDRESS
from services.gateway.intake.idempotency import HEADER as KEY_HEADER
from services.gateway.intake.idempotency import KEY_PATTERN

_EXAMPLE: Final = (
    '{"line":2,"id":"b","status":415,"replayed":false,"problem":{"type":"urn:trustvqa:problem:unsupported-image",'
    '"title":"Unsupported image","status":415,"detail":"The file is no picture."}}\n'
    '{"summary":{"batch":"batch_5f1c0f9f4a5e4a7c8a3f0f3b8d2e6a10","complete":true,"counts":{"lines":2,"answered":1,'
    '"deferred":0,"failed":1,"replayed":0}}}\n'
)
BATCH_HEADERS: Final[list[dict[str, Any]]] = [
    {
        "name": KEY_HEADER,
        "in": "header",
        "description": "Made by the client, the same each time that it sends lines of the same batch again: a line "
        "whose answer was recorded gets that answer, and no model is asked. In quotation marks or without.",
        "schema": {"type": "string", "pattern": KEY_PATTERN},
    },
    {
        "name": HEADER,
        "in": "header",
        "description": "Address that is told, by a signed webhook (Standard Webhooks), once the batch is done: of a "
        "host that the operator has allowed.",
        "schema": {"type": "string", "maxLength": MAX_ADDRESS},
    },
]
BATCH_BODY: Final[dict[str, Any]] = {
    "required": True,
    "description": "Lines of JSON, each an object as the body of POST /vqa, and an `id`: a text of 1 to "
    f"{MAX_LINE_ID} printable characters by which the answer is known. There may be any number of lines.",
    "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
}
BATCH_REPLY: Final[dict[str, Any]] = {
    "description": "Lines of JSON: one a line of the request, in the order in which they are done, and at the end a "
    "summary, without which the reply is not whole.",
    "content": json_lines(MEDIA_TYPE, [BatchLineReply, BatchEnd], _EXAMPLE),
}
