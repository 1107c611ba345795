"""Statuses of operations: those that a route declares, and those that what lies around all routes may answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from services.common.http.openapi.problem_details import ProblemDetails
from services.common.http.openapi.references import SCHEMAS, reference
from services.common.http.openapi.surroundings import Surroundings
from services.common.http.problems import MEDIA_TYPE

FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")
"""Schemas of errors as FastAPI would send them; nothing here does."""


@dataclass(frozen=True, slots=True)
class _Reply:
    """A status that may come of any route of a kind; name is that of the component in the document."""

    name: str
    description: str
    from_connection: bool = False
    """Whether the connection itself answers so as well, before it is known what was asked for."""
    header: str | None = None


_REPLIES: Final = {
    303: _Reply("SignIn", "A browser that shows no key and asks for a page is led to where one is entered."),
    400: _Reply("Malformed", "No valid HTTP, or a body that is not what its Content-Type says.", True),
    401: _Reply("KeyMissing", "No key, or none of this service's, or one that has expired.", header="WWW-Authenticate"),
    403: _Reply("Forbidden", "The key's scopes, the request's host or the page that it comes from do not allow that."),
    404: _Reply("NotFound", "There is no such thing."),
    408: _Reply("TooSlow", "Header or body did not arrive in time.", True),
    413: _Reply("BodyTooLarge", "The body has too many bytes, or its JSON too many values."),
    415: _Reply("WrongMediaType", "The body is of another media type, or encoded."),
    422: _Reply("Invalid", "Well-formed, but a field cannot be used; `errors` names each."),
    431: _Reply("HeaderTooLarge", "The request's header is too large.", True),
    500: _Reply("InternalError", "An error that nobody foresaw; it is logged under the request's id."),
    503: _Reply("Busy", "Too many connections or large bodies at once.", True, header="Retry-After"),
}
_HEADERS: Final = {
    "WWW-Authenticate": {
        "description": "How to show a key, and what is wrong with the one that was shown (RFC 6750).",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Location": {"description": "Address of the page.", "schema": {"type": "string"}},
}
_REQUEST_ID: Final = {
    "description": "The request's id, the client's own where it sent one; the service's log has it on every line.",
    "schema": {"type": "string"},
}


def problems(described: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Describe statuses of a route's own that come as problem documents: status -> when it does.

    Example:
        >>> problems({409: "Somebody was faster."})[409]["description"]
        'Somebody was faster.'
    """
    return {status: _problem(status, text) for status, text in described.items()}


def add_replies(path: str, operation: dict[str, Any], around: Surroundings, shared: dict[str, Any]) -> None:
    """Add to an operation what lies around it may answer; replies that operations share are collected in `shared`."""
    replies = operation["responses"]
    if _is_fastapis_own(replies.get("422", {})):
        del replies["422"]
    model = _other_error(path, around)
    for status in _common(path, operation, around):
        common = _REPLIES[status]
        if (own := replies.get(str(status))) is None:
            name = common.name + (model.__name__ if model is not None and status >= 400 else "")
            shared[name] = _reply(status, model)
            replies[str(status)] = {"$ref": f"#/components/responses/{name}"}
        elif common.from_connection:
            own.setdefault("content", {}).setdefault(MEDIA_TYPE, {"schema": reference(ProblemDetails)})
    operation["responses"] = dict(sorted(replies.items()))


def add_request_id(document: Mapping[str, Any], replies: Iterable[dict[str, Any]]) -> None:
    """Add to replies the header that all have but those of the connection itself."""
    document["components"]["headers"] = {"RequestId": _REQUEST_ID}
    for reply in replies:
        if "$ref" not in reply:
            reply["headers"] = {**reply.get("headers", {}), "X-Request-Id": {"$ref": "#/components/headers/RequestId"}}


def _other_error(path: str, around: Surroundings) -> type[BaseModel] | None:
    return next((model for start, model in around.other_errors.items() if path.startswith(start)), None)


def _common(path: str, operation: Mapping[str, Any], around: Surroundings) -> Iterator[int]:
    yield from (400, 408, 431, 500, 503)
    is_protected = "security" in operation
    if is_protected or not around.has_keys:
        yield 403
    if is_protected and around.has_keys:
        yield 401
        if around.has_pages and "requestBody" not in operation:
            yield 303
    if "{" in path:
        yield 404
    if has_body := "requestBody" in operation:
        yield 413
    if _other_error(path, around) is not None:
        return  # what is wrong with media types and fields is a 400 there
    if has_body:
        yield 415
    if has_body or any(each["in"] != "path" for each in operation.get("parameters", ())):
        yield 422


def _reply(status: int, model: type[BaseModel] | None) -> dict[str, Any]:
    common = _REPLIES[status]
    if status < 400:
        return {"description": common.description, "headers": {"Location": _HEADERS["Location"]}}
    reply = _problem(status, common.description)
    if model is not None:
        as_problem = reply["content"] if common.from_connection else {}
        reply["content"] = {"application/json": {"schema": reference(model)}, **as_problem}
    return reply


def _problem(status: int, description: str) -> dict[str, Any]:
    reply: dict[str, Any] = {"description": description, "content": {MEDIA_TYPE: {"schema": reference(ProblemDetails)}}}
    header = {429: "Retry-After"}.get(status) or (_REPLIES[status].header if status in _REPLIES else None)
    return reply if header is None else {**reply, "headers": {header: _HEADERS[header]}}


def describe_successes(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Describe replies of which FastAPI says no more than that all went well by the schema of their JSON."""
    for reply in operation["responses"].values():
        if reply.get("description") == "Successful Response":
            schema = reply.get("content", {}).get("application/json", {}).get("schema", {})
            named = schemas.get(str(schema.get("$ref", "")).removeprefix(SCHEMAS), {})
            reply["description"] = named.get("description", reply["description"])


def _is_fastapis_own(reply: Mapping[str, Any]) -> bool:
    schema = reply.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).removeprefix(SCHEMAS) in FASTAPIS_OWN
