"""Responses as server-sent events, in OpenAI's order.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from services.common.engine.errors import EngineError
from services.common.engine.interface import DeltaStream, TokenLogprob, Usage
from services.downstream.responses.documents import ResponseDocuments


async def response_events(stream: DeltaStream, documents: ResponseDocuments) -> AsyncIterator[str]:
    """Write a response's deltas as events.

    Args:
        stream: The deltas of one sample; withdrawn if the events are not read to their end.
        documents: Makes the response's documents.

    Yields:
        Events, "response.completed", "response.incomplete" or "response.failed" the last.
    """
    number = 0

    def event(kind: str, **members: Any) -> str:
        nonlocal number
        document = {"type": kind, "sequence_number": number, **members}
        number += 1
        return f"event: {kind}\ndata: {json.dumps(document, separators=(',', ':'))}\n\n"

    item = {"output_index": 0}
    part = {"item_id": documents.item_id, "output_index": 0, "content_index": 0}
    text, reason, count = "", "stop", 0
    logprobs: list[TokenLogprob] = []
    try:
        yield event("response.created", response=documents.begun())
        yield event("response.in_progress", response=documents.begun())
        yield event("response.output_item.added", **item, item=documents.item("in_progress", []))
        yield event("response.content_part.added", **part, part=documents.part(""))
        async for delta in stream:
            count, reason = delta.completion_tokens, delta.finish_reason or reason
            text += delta.text
            logprobs += delta.logprobs
            if delta.text or delta.logprobs:
                tokens = documents.logprobs(delta.logprobs)
                yield event("response.output_text.delta", **part, delta=delta.text, logprobs=tokens)
        ended = documents.ended(text, reason, Usage(stream.prompt_tokens, count), logprobs)
        whole = ended["output"][0]
        yield event("response.output_text.done", **part, text=text, logprobs=documents.logprobs(logprobs))
        yield event("response.content_part.done", **part, part=whole["content"][0])
        yield event("response.output_item.done", **item, item=whole)
        yield event(f"response.{ended['status']}", response=ended)
    except EngineError as error:
        yield event("response.failed", response=documents.failed(error))
    finally:
        await stream.aclose()
