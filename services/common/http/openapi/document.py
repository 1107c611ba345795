"""A service's document: FastAPI's, with what it cannot know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from services.common.http.openapi.descriptions import describe
from services.common.http.openapi.problem_details import ProblemDetails
from services.common.http.openapi.references import reference, schema_of
from services.common.http.openapi.replies import FASTAPIS_OWN, add_replies, add_request_id, describe_successes
from services.common.http.openapi.surroundings import Surroundings

_METHODS: Final = ("get", "put", "post", "delete", "patch")


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body that is one object of a model and that the route reads by itself, as `openapi_extra`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(model)}}}}


def json_lines(media_type: str, models: Sequence[type[BaseModel]], example: str) -> dict[str, Any]:
    """Describe a reply's content that is lines of JSON, each an object of one of some models."""
    each = [schema_of(model) for model in models]
    lines = {"type": "string", "contentMediaType": media_type, "contentSchema": {"anyOf": each}}
    return {media_type: {"schema": lines, "example": example}}


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
    for name in FASTAPIS_OWN:
        schemas.pop(name, None)
    models: tuple[type[BaseModel], ...] = (ProblemDetails, *around.other_errors.values())
    for model in models:
        _hoist(schema_of(model), schemas)
    shared: dict[str, Any] = {}
    for path, operation in _operations(document):
        _name_bodies(operation, schemas)
        _name_lines(operation, schemas)
        add_replies(path, operation, around, shared)
        _state_security(operation, around)
    components["responses"] = dict(sorted(shared.items()))
    for schema in schemas.values():
        describe(schema)
    for example in around.examples.glob("*.json") if around.examples is not None else ():
        schemas[example.stem]["examples"] = [json.loads(example.read_text(encoding="utf-8"))]
    for _, operation in _operations(document):
        describe_successes(operation, schemas)
        add_request_id(document, operation["responses"].values())
    add_request_id(document, shared.values())
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


def _name_lines(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    for reply in operation["responses"].values():
        for content in reply.get("content", {}).values():
            if (lines := content.get("schema", {}).get("contentSchema")) is not None:
                found: dict[str, Any] = {}
                lines["anyOf"] = [reference(_hoist(each, found)) for each in lines["anyOf"]]
                # What routes declare by themselves stays as FastAPI wrote it.
                schemas |= {name: each for name, each in found.items() if name not in schemas}


def _state_security(operation: dict[str, Any], around: Surroundings) -> None:
    if "security" not in operation:
        operation["security"] = []  # stated, so that nobody takes it for forgotten
    elif not around.has_keys:
        operation["security"].append({})  # a key may be shown, and need not
