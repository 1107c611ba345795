"""Responses with an engine, by way of the chat service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from services.downstream.chat import ChatService
from services.downstream.responses.chat_translation import as_chat, own_words
from services.downstream.responses.documents import ResponseDocuments
from services.downstream.responses.events import response_events
from services.downstream.responses.requests import ResponsesRequest


async def respond(chat: ChatService, request: ResponsesRequest, client: str) -> dict[str, Any]:
    """Answer a request that is not streamed.

    Args:
        chat: Answers chats.
        request: The request.
        client: Who asks.

    Raises:
        OpenAIError: If it cannot be answered.
    """
    documents = ResponseDocuments(request)
    with own_words():
        result = await chat.run(as_chat(request), client)
    sample = result.samples[0]
    return documents.ended(sample.text, sample.finish_reason, result.usage, sample.logprobs)


async def begin_response(chat: ChatService, request: ResponsesRequest, client: str) -> AsyncIterator[str]:
    """Begin a streamed answer; what is wrong with the request is raised here, before the first event.

    Args:
        chat: Answers chats.
        request: The request.
        client: Who asks.

    Raises:
        OpenAIError: If it cannot be answered.
    """
    with own_words():
        stream = await chat.begin(as_chat(request), client)
    return response_events(stream, ResponseDocuments(request))
