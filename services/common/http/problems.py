"""Errors that clients read, as RFC 9457 problem documents with stable types.

Problem  an error with a status, a stable kind and a text for a person; every other exception becomes one
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TYPE_PREFIX = "urn:trustvqa:problem:"
MEDIA_TYPE = "application/problem+json"

_log = structlog.get_logger(__name__)


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An error that a client should read (RFC 9457).

    Args:
        status: HTTP status.
        kind: Stable identifier in kebab case; becomes the problem's type as a URN.
        detail: What happened and what to change, for a person; never internals.
        title: Short summary that is the same for every problem of this kind; by default made from the kind.
        retry_after: Seconds after which to try again, sent as Retry-After (rounded up).
        extensions: Further members of the document.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        title: str | None = None,
        retry_after: float | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.title = title or kind.replace("-", " ").capitalize()
        self.retry_after = retry_after
        self.extensions = extensions

    def document(self, request_id: str | None = None) -> dict[str, Any]:
        """Write the document, for a reply of its own or a part of one."""
        body: dict[str, Any] = {
            "type": TYPE_PREFIX + self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extensions,
        }
        if request_id:
            body["request_id"] = request_id
        return body

    def response(self, request_id: str | None = None) -> JSONResponse:
        """Render the document."""
        headers = {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}
        return JSONResponse(self.document(request_id), status_code=self.status, media_type=MEDIA_TYPE, headers=headers)


def install_problem_handlers(app: FastAPI, methods_of: Callable[[str], Iterable[str]]) -> None:
    """Make every error of an app a problem document.

    Args:
        app: The application; Problem, HTTPException, validation errors and unforeseen exceptions are handled.
        methods_of: Finds the methods that a path takes, for the header Allow.

    Call this before adding the tracing middleware, which then sees (counts, marks with the id) every reply.
    """

    async def on_http_exception(request: Request, error: Exception) -> JSONResponse:
        return _http_problem(request, error, is_openais=bool(methods_of(_OPENAIS)))

    async def on_wrong_method(request: Request, error: Exception) -> JSONResponse:
        response = await on_http_exception(request, error)
        # The router names the methods of the first route of that path alone.
        response.headers["Allow"] = ", ".join(sorted(methods_of(request.url.path)))
        return response

    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, on_wrong_method)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_middleware(UnforeseenErrors)


class UnforeseenErrors:
    """ASGI middleware: an exception that nobody foresaw becomes a 500 problem document and a line in the log.

    A request that is cancelled, because the service ends and can wait no longer, becomes a 503 problem document.

    A handler for Exception would not do: Starlette runs it outside all middleware, so its reply would lack the
    request's id and be counted as none at all.

    Args:
        app: The wrapped application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other ASGI scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            # The server is ending, and has waited for as long as it may: nothing else cancels a request's task.
            if begun:
                raise
            problem = Problem(503, "service-ending", "The service is ending: ask again.", retry_after=1)
            await problem.response(request_id_of_scope(scope))(scope, receive, send)
        except Exception as error:
            _log.error("unforeseen error", path=scope["path"], exc_info=error)
            if begun:
                raise  # half a reply is out: only breaking the connection tells the client
            await internal_error().response(request_id_of_scope(scope))(scope, receive, send)


def internal_error() -> Problem:
    """Make the problem of an error that nobody foresaw."""
    return Problem(500, "internal-error", "Something went wrong here; it has been logged under the request's id.")


def request_id_of(request: Request) -> str | None:
    """Look up the id that the tracing middleware gave the request."""
    return request_id_of_scope(request.scope)


def request_id_of_scope(scope: Scope) -> str | None:
    """Look up the id that the tracing middleware gave the request with this ASGI scope."""
    found = scope.get("state", {}).get("request_id")
    return found if isinstance(found, str) else None


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 - registered for this type alone
    return error.response(request_id_of(request))


def _http_problem(request: Request, error: Exception, *, is_openais: bool) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    phrase = HTTPStatus(error.status_code).phrase
    # Starlette's own words for a path that no route has are the phrase alone.
    detail = str(error.detail)
    if (error.status_code, detail) == (404, phrase):
        detail = _NO_SUCH_PATH + ("; OpenAI's begin with /v1." if is_openais else ".")
    response = Problem(error.status_code, phrase.lower().replace(" ", "-").replace("'", ""), detail).response(
        request_id_of(request)
    )
    response.headers.update(error.headers or {})
    return response


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type alone
    return invalid_request(error).response(request_id_of(request))


_NO_SUCH_PATH: Final = "This service has no such path: /docs shows those that it has"
_OPENAIS: Final = "/v1/chat/completions"
_PLAIN_WORDS: Final = {"extra_forbidden": "is not a field of this request", "missing": "is missing"}
"""Words for a fault in place of pydantic's, which do not name what they speak of."""


def invalid_request(error: RequestValidationError) -> Problem:
    """Refuse fields that are wrong, each by its name."""
    # "Value error, " is how pydantic marks messages of our own validators.
    faults = [
        {
            "field": _pointer(fault["loc"]),
            "message": _PLAIN_WORDS.get(fault["type"], fault["msg"].removeprefix("Value error, ")),
        }
        for fault in error.errors()
    ]
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        return Problem(400, "malformed-json", "The request's body is not valid JSON.", errors=faults)
    if isinstance(error.body, bytes) and any(fault["loc"] == ("body",) for fault in error.errors()):
        # FastAPI hands a body over unparsed where its content type is not JSON.
        return Problem(415, "unsupported-media-type", "Send the body as JSON, with Content-Type: application/json.")
    fields = ", ".join(sorted({fault["field"] for fault in faults if fault["field"]})) or "the body"
    return Problem(422, "invalid-request", f"Check {fields}: {faults[0]['message']}.", errors=faults)


def _pointer(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if part not in ("body", "query", "path", "header"))
