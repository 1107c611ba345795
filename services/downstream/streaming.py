"""Replies as server-sent events, in the order and form of OpenAI's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from services.common.engine.errors import EngineError
from services.common.engine.interface import Delta, DeltaStream, Usage
from services.downstream.conversion import ReplyHead, logprobs_document, usage_document
from services.downstream.errors import from_engine


async def events(
    stream: DeltaStream, head: ReplyHead, n: int, *, logprobs: bool, include_usage: bool
) -> AsyncIterator[str]:
    """Write a request's deltas as events.

    Args:
        stream: The deltas; withdrawn if the events are not read to their end.
        head: The members that all events have in common.
        n: Number of choices.
        logprobs: Whether log-probabilities were asked for.
        include_usage: Whether a last event should count the tokens.

    Yields:
        Events, "[DONE]" the last. An error after the reply has begun is an event with OpenAI's envelope.
    """
    more: dict[str, Any] = {"usage": None} if include_usage else {}

    def chunk(index: int, delta: dict[str, Any], reason: str | None = None, tokens: Any = None) -> str:
        choice = {"index": index, "delta": delta, "logprobs": tokens, "finish_reason": reason}
        return _event(head.document("chat.completion.chunk", [choice], **more))

    counts = [0] * n
    try:
        for index in range(n):
            yield chunk(index, {"role": "assistant", "content": "", "refusal": None})
        async for delta in stream:
            counts[delta.index] = delta.completion_tokens
            if delta.text or delta.logprobs:
                yield chunk(delta.index, {"content": delta.text}, tokens=_tokens(delta, logprobs))
            if delta.finish_reason is not None:
                yield chunk(delta.index, {}, delta.finish_reason)
        if include_usage:
            usage = usage_document(Usage(stream.prompt_tokens, sum(counts)))
            yield _event(head.document("chat.completion.chunk", [], usage=usage))
    except EngineError as error:
        yield _event(from_engine(error).body())
    finally:
        await stream.aclose()
    yield "data: [DONE]\n\n"


def _tokens(delta: Delta, wanted: bool) -> dict[str, Any] | None:
    return logprobs_document(delta.logprobs) if wanted else None


def _event(document: dict[str, Any]) -> str:
    return f"data: {json.dumps(document, separators=(',', ':'))}\n\n"
