"""Requests of the Responses API as chats, and a chat's errors in the words of the Responses API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.common.openai.errors import OpenAIError
from services.downstream.responses.requests import (
    InputImage,
    InputText,
    OtherItem,
    OutputText,
    ResponsesRequest,
    UserItem,
)
from services.downstream.schemas import ChatCompletionRequest

_NAMES = {"messages": "input", "max_tokens": "max_output_tokens", "response_format": "text.format"}
"""Parameters of a chat completion -> the same of a response."""


def as_chat(request: ResponsesRequest) -> ChatCompletionRequest:
    """Put a request as a chat completion's, which says the same."""
    said = [UserItem(role="user", content=request.input)] if isinstance(request.input, str) else request.input
    messages = [{"role": each.role, "content": _content(each)} for each in said]
    if request.instructions is not None:
        messages.insert(0, {"role": "system", "content": request.instructions})
    return ChatCompletionRequest.model_validate(
        {
            "model": request.model,
            "messages": messages,
            "max_tokens": request.max_output_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "top_k": request.top_k,
            "seed": request.seed,
            "response_format": _response_format(request),
            "logprobs": request.logprobs or None,
            "top_logprobs": request.top_logprobs if request.logprobs else None,
        }
    )


@contextmanager
def own_words() -> Iterator[None]:
    """Name parameters in errors of the chat by their names in the Responses API."""
    try:
        yield
    except OpenAIError as error:
        error.param = _NAMES.get(error.param or "", error.param)
        error.message = reworded(error.message)
        raise


def reworded(message: str) -> str:
    """Name parameters in a message about the chat by their names in the Responses API."""
    for chats, own in _NAMES.items():
        message = message.replace(f"'{chats}'", f"'{own}'")
    return message


def _content(message: UserItem | OtherItem) -> str | list[dict[str, Any]]:
    return message.content if isinstance(message.content, str) else [_part(each) for each in message.content]


def _part(part: InputText | InputImage | OutputText) -> dict[str, Any]:
    if isinstance(part, InputImage):
        return {"type": "image_url", "image_url": {"url": part.image_url}}
    return {"type": "text", "text": part.text}


def _response_format(request: ResponsesRequest) -> dict[str, Any] | None:
    form = request.format
    if form.form is None:
        return {"type": form.type}
    return {"type": form.type, "json_schema": {"name": form.name, "schema": form.form}}
