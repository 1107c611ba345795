"""Replies as server-sent events, in the order and form of OpenAI's."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

from services.common.engine.errors import EngineError
from services.common.engine.interface import Delta, DeltaStream, Usage
from services.common.openai.tools import ForcedTool, call_of, further_arguments
from services.downstream.conversion import ReplyHead, finish_reason, logprobs_document, usage_document
from services.downstream.errors import from_engine


async def events(
    stream: DeltaStream,
    head: ReplyHead,
    n: int,
    tool: ForcedTool | None = None,
    *,
    logprobs: bool,
    include_usage: bool,
) -> AsyncIterator[str]:
    """Write a request's deltas as events.

    Args:
        stream: The deltas; withdrawn if the events are not read to their end.
        head: The members that all events have in common.
        n: Number of choices.
        tool: The function whose arguments the texts are, or None.
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
            yield chunk(index, _beginning(tool))
        async for delta in stream:
            counts[delta.index] = delta.completion_tokens
            if delta.text or delta.logprobs:
                yield chunk(delta.index, _continuation(delta.text, tool), tokens=_tokens(delta, logprobs))
            if delta.finish_reason is not None:
                yield chunk(delta.index, {}, finish_reason(delta.finish_reason, tool))
        if include_usage:
            usage = usage_document(Usage(stream.prompt_tokens, sum(counts)))
            yield _event(head.document("chat.completion.chunk", [], usage=usage))
    except EngineError as error:
        yield _event(from_engine(error).body())
    finally:
        await stream.aclose()
    yield "data: [DONE]\n\n"


def _beginning(tool: ForcedTool | None) -> dict[str, Any]:
    if tool is None:
        return {"role": "assistant", "content": "", "refusal": None}
    call = call_of(tool.name, "", secrets.token_hex(12), index=0)
    return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}


def _continuation(text: str, tool: ForcedTool | None) -> dict[str, Any]:
    return {"content": text} if tool is None else {"tool_calls": [further_arguments(text)]}


def _tokens(delta: Delta, wanted: bool) -> dict[str, Any] | None:
    return logprobs_document(delta.logprobs) if wanted else None


def _event(document: dict[str, Any]) -> str:
    return f"data: {json.dumps(document, separators=(',', ':'))}\n\n"
