"""Parts of OpenAI's replies that services have in common, as their OpenAPI documents show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from services.common.http.openapi import reference
from services.common.http.openapi.quantities import Count


class UsageReply(BaseModel):
    """Tokens of a request.

    Attributes:
        prompt_tokens: Tokens of the prompt.
        completion_tokens: Tokens of all choices.
        total_tokens: Both together.
    """

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count


class CalledFunction(BaseModel):
    """A function that a reply calls.

    Attributes:
        name: Its name.
        arguments: Its arguments, as JSON text.
    """

    name: str
    arguments: str


class ToolCall(BaseModel):
    """A call in a reply.

    Attributes:
        id: Unique identifier of the call.
        type: Always "function".
        function: The function and its arguments.
    """

    id: str
    type: Literal["function"]
    function: CalledFunction


class ErrorDetails(BaseModel):
    """An error as OpenAI's clients know it.

    Attributes:
        message: What is wrong and what to change, for a person.
        type: OpenAI's kind of error.
        param: The offending parameter, or None.
        code: Stable machine-readable reason, or None.
    """

    message: str
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """An error in OpenAI's envelope.

    Attributes:
        error: The error.
    """

    error: ErrorDetails


def envelopes(described: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Describe statuses of a route's own that come with OpenAI's envelope: status -> when it does."""
    content = {"application/json": {"schema": reference(ErrorReply)}}
    return {status: {"description": text, "content": content} for status, text in described.items()}
