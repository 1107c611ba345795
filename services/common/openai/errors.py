"""Errors in OpenAI's envelope, which its clients turn into exceptions.

    OpenAIError  an error with OpenAI's type, param and code; from a fault in a request, from a problem, or a service's

Problem documents, which the parts common to all services answer with, become envelopes on their way out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.http.pacing import excuse
from services.common.http.problems import MEDIA_TYPE, Problem


class OpenAIError(Exception):
    """An error as OpenAI's clients know it.

    Args:
        status: HTTP status.
        message: What is wrong and what to change, for a person.
        kind: OpenAI's ``type``: "invalid_request_error", "rate_limit_error" or "server_error".
        param: The offending parameter.
        code: Stable machine-readable reason.
        retry_after: Seconds after which to try again, sent as Retry-After.
        is_excused: Whether it is not to slow down the client, which may have passed on what somebody else asked.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        is_excused: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.retry_after = retry_after
        self.is_excused = is_excused

    def body(self) -> dict[str, Any]:
        """Make the envelope."""
        return envelope(self.message, self.kind, self.param, self.code)

    def response(self) -> JSONResponse:
        """Render the error."""
        headers = {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}
        return JSONResponse(self.body(), status_code=self.status, headers=headers)


def envelope(message: str, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    """Make an error's JSON document."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


async def on_openai_error(request: Request, error: Exception) -> JSONResponse:
    """Handle OpenAIError in an application."""
    assert isinstance(error, OpenAIError)  # noqa: S101 - registered for this type alone
    if error.is_excused:
        excuse(request.scope)
    return error.response()


def from_validation(error: ValidationError) -> OpenAIError:
    """Translate the first fault of a request that does not fit its schema, in OpenAI's words where it has some."""
    # Every member of a union reports a fault; the one that got furthest is the one that was meant.
    fault = max(error.errors(include_url=False, include_input=False), key=lambda fault: len(_path(fault["loc"])))
    path, kind, context = _path(fault["loc"]), fault["type"], fault.get("ctx", {})
    if kind == "json_invalid":
        return OpenAIError(400, f"The body of your request is not valid JSON: {context['error']}.")
    if "discriminator" in context:
        path = [*path, context["discriminator"].strip("'")]
    param = context.get("param") or _name(path)
    if kind in ("missing", "union_tag_not_found"):
        return OpenAIError(
            400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
        )
    if kind == "extra_forbidden":
        return OpenAIError(
            400, f"Unrecognized request argument supplied: {param}", param=param, code="unknown_parameter"
        )
    code = "invalid_type" if kind.endswith(("_type", "_parsing")) else "invalid_value"
    message = fault["msg"].removeprefix("Value error, ").rstrip(".")
    if kind == "union_tag_invalid":
        message = f"expected one of {context['expected_tags']}"
    return OpenAIError(400, f"Invalid value for '{param or 'body'}': {message}.", param=param, code=code)


_OF_ONE_KIND: Final = frozenset({"tools"})
"""Lists whose elements are no union: behind an element's number stands a field, and no tag."""


def _path(location: Sequence[int | str]) -> list[int | str]:
    """Leave out what names a member of a union: "str", "list[...]", and the tag after an element's number."""
    befores = zip(("", "", *location), ("", *location), location, strict=False)
    return [
        part
        for lists, before, part in befores
        if isinstance(part, int)
        or (part.isidentifier() and part != "str" and (lists in _OF_ONE_KIND or not isinstance(before, int)))
    ]


def _name(path: Sequence[int | str]) -> str | None:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or None


def from_problem(problem: Problem) -> OpenAIError:
    """Translate a problem document."""
    status = problem.status
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    code = problem.kind.replace("-", "_")
    return OpenAIError(status, problem.detail, kind=kind, code=code, retry_after=problem.retry_after)


class OpenAIEnvelopes:
    """ASGI middleware: problem documents of OpenAI's routes become OpenAI's envelopes.

    What all services share (bounds on bodies, unforeseen errors, unknown routes) answers with problem documents.

    Args:
        app: The wrapped application.
        others: Beginnings of paths below /v1/ that are not of OpenAI's API, whose problem documents stay such.
    """

    def __init__(self, app: ASGIApp, others: Sequence[str] = ()) -> None:
        self._app = app
        self._others = tuple(others)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other ASGI scopes pass through."""
        is_openais = (
            scope["type"] == "http" and scope["path"].startswith("/v1/") and not scope["path"].startswith(self._others)
        )
        if not is_openais:
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def translate(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                if headers.get("content-type", "").startswith(MEDIA_TYPE):
                    start = message
                    return
            elif start is not None and message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    content = _translated(body)
                    headers = MutableHeaders(raw=start["headers"])
                    headers["content-type"] = "application/json"
                    headers["content-length"] = str(len(content))
                    await send({**start, "headers": headers.raw})
                    await send({**message, "body": content})
                return
            await send(message)

        await self._app(scope, receive, translate)


def _translated(body: bytes) -> bytes:
    found = json.loads(body)
    problem = Problem(found["status"], found["type"].rpartition(":")[2], found["detail"])
    return json.dumps(from_problem(problem).body()).encode()
