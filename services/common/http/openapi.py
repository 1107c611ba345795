"""OpenAPI documents that are true: what every service does around its routes is added to what FastAPI knows of them.

    ProblemDetails  the schema of problem documents
    problems        statuses of a route's own, for `responses`
    json_body       a body that a route reads by itself, for `openapi_extra`
    Surroundings    the things besides the routes that a document depends on
    complete        adds it

Routes declare what is theirs alone. What the authenticator, the checks of hosts and the bounds on bodies and
connections may answer is added here, and so are descriptions, out of docstrings, and examples, out of files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from docstring_parser.google import parse
from pydantic import BaseModel, ConfigDict, Field

from services.common.http.problems import MEDIA_TYPE, TYPE_PREFIX

_SCHEMAS: Final = "#/components/schemas/"
_METHODS: Final = ("get", "put", "post", "delete", "patch")
_FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")


class FieldFault(BaseModel):
    """A fault of a request.

    Attributes:
        field: The field's name, with points between the parts of its path; empty for the body as a whole.
        message: What is wrong with it.
    """

    field: str
    message: str


class ProblemDetails(BaseModel):
    """A problem document (RFC 9457). Switch on `type`, show `detail`.

    Attributes:
        type: The kind of problem; it is stable.
        title: The kind in words.
        status: The reply's status.
        detail: What is wrong and what to change, for a person.
        request_id: The request's id, as in the header `X-Request-Id`.
        errors: The faults one by one, where fields are wrong.
        scope: Scopes that the key lacks.
    """

    model_config = ConfigDict(extra="allow")

    type: str = Field(pattern=f"^{TYPE_PREFIX}[a-z0-9-]+$", examples=[f"{TYPE_PREFIX}unsupported-image"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    request_id: str | None = None
    errors: list[FieldFault] | None = None
    scope: str | None = None


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
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The things besides its routes that a service's document depends on.

    Attributes:
        description: Of the service, for whoever reads the document.
        has_keys: Whether it asks for keys.
        has_pages: Whether browsers without a key are led to where one is entered.
        other_errors: Beginning of a path -> model of the errors below it, which come as JSON of it instead. Faults of
            fields are 400 there.
        examples: Directory of examples: a JSON file a schema, called after it.
    """

    description: str
    has_keys: bool
    has_pages: bool = False
    other_errors: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    examples: Path | None = None


def reference(model: type[BaseModel] | str) -> dict[str, str]:
    """Refer to a schema of the document."""
    return {"$ref": _SCHEMAS + (model if isinstance(model, str) else model.__name__)}


def problems(described: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Describe statuses of a route's own that come as problem documents: status -> when it does.

    Example:
        >>> problems({409: "Somebody was faster."})[409]["description"]
        'Somebody was faster.'
    """
    return {status: _problem(status, text) for status, text in described.items()}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body that is one object of a model and that the route reads by itself, as `openapi_extra`."""
    schema = model.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def complete(document: dict[str, Any], around: Surroundings) -> dict[str, Any]:
    """Add to FastAPI's document what it cannot know.

    Args:
        document: The document; it is changed.
        around: What it depends on besides the routes.

    Returns:
        The same document.

    Raises:
        KeyError: If there is an example of a schema that the document lacks.
    """
    if around.description:
        document["info"]["description"] = around.description
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _FASTAPIS_OWN:
        schemas.pop(name, None)
    models: tuple[type[BaseModel], ...] = (ProblemDetails, *around.other_errors.values())
    for model in models:
        _hoist(model.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}"), schemas)
    shared: dict[str, Any] = {}
    for path, operation in _operations(document):
        _name_bodies(operation, schemas)
        _add_replies(path, operation, around, shared)
        if not around.has_keys and "security" in operation:
            operation["security"].append({})  # a key may be shown, and need not
    components["responses"] = dict(sorted(shared.items()))
    for schema in schemas.values():
        _describe(schema)
    for example in around.examples.glob("*.json") if around.examples is not None else ():
        schemas[example.stem]["examples"] = [json.loads(example.read_text(encoding="utf-8"))]
    for _, operation in _operations(document):
        _say_what_comes(operation, schemas)
    components["schemas"] = dict(sorted(schemas.items()))
    return document


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, item[method]


def _hoist(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Put a model's schema, and those inside it, where references lead; its name."""
    schemas |= schema.pop("$defs", {})
    name: str = schema["title"]
    schemas[name] = schema
    return name


def _name_bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "title" in content["schema"]:
            content["schema"] = reference(_hoist(content["schema"], schemas))


# --- Statuses ---------------------------------------------------------------------------------------------------------


def _add_replies(path: str, operation: dict[str, Any], around: Surroundings, shared: dict[str, Any]) -> None:
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
        location = {"description": "Address of the page.", "schema": {"type": "string"}}
        return {"description": common.description, "headers": {"Location": location}}
    reply = _problem(status, common.description)
    if model is not None:
        as_problem = reply["content"] if common.from_connection else {}
        reply["content"] = {"application/json": {"schema": reference(model)}, **as_problem}
    return reply


def _problem(status: int, description: str) -> dict[str, Any]:
    reply: dict[str, Any] = {"description": description, "content": {MEDIA_TYPE: {"schema": reference(ProblemDetails)}}}
    header = {429: "Retry-After"}.get(status) or (_REPLIES[status].header if status in _REPLIES else None)
    return reply if header is None else {**reply, "headers": {header: _HEADERS[header]}}


def _say_what_comes(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Describe replies of which FastAPI says no more than that all went well by the schema of their JSON."""
    for reply in operation["responses"].values():
        if reply.get("description") == "Successful Response":
            schema = reply.get("content", {}).get("application/json", {}).get("schema", {})
            named = schemas.get(str(schema.get("$ref", "")).removeprefix(_SCHEMAS), {})
            reply["description"] = named.get("description", reply["description"])


def _is_fastapis_own(reply: Mapping[str, Any]) -> bool:
    schema = reply.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).removeprefix(_SCHEMAS) in _FASTAPIS_OWN


# --- Descriptions -----------------------------------------------------------------------------------------------------


def _describe(schema: dict[str, Any]) -> None:
    """Take a schema's description, which is its model's docstring, apart: each attribute's part belongs to it."""
    parsed = parse(schema.get("description", ""))
    if parsed.description:
        schema["description"] = _in_json(parsed.description)
    said = {each.arg_name: each.description or "" for each in parsed.params}
    for name, found in schema.get("properties", {}).items():
        if "description" not in found and said.get(name):
            found["description"] = _in_json(said[name])


def _in_json(text: str) -> str:
    """Put Python's words in JSON's, on one line a paragraph."""
    words = {"None": "null", "True": "true", "False": "false"}
    lines = re.sub(r"(?<!\n)\n[ \t]*(?!\n)", " ", text.strip())
    return re.sub(r"\b(?:None|True|False)\b", lambda found: words[found[0]], lines)
