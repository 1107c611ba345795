"""Parts of the OpenAPI document for bodies that the routes read themselves, made of the models that validate them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.common.http.openapi import problems
from services.gateway.intake.idempotency import HEADER, KEY_PATTERN
from services.gateway.picture_schemas import ArchivedInstance
from services.gateway.question_schemas import Ask

_FORMATS: Final = "PNG, JPEG, WebP, TIFF, BMP or DICOM"
_NULL: Final = {"type": "null"}
_TEXT: Final = {"type": "string"}

KEY_HEADER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "description": "Made by the client, the same each time that it asks the same question again: the answer then has "
    "the same id and one record. In quotation marks or without.",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}
"""The parameter by which a question is known again."""

RECORD_PROBLEMS: Final = problems(
    {
        404: "No record of such an answer, or this gateway keeps none.",
        503: "The database of records is away: `Retry-After` says when to come back.",
    }
)
"""Statuses of routes that read or write records."""


def vqa_body() -> dict[str, Any]:
    """Describe the body of /vqa: the fields of `Ask`, and the picture in the form that the content type has for it."""
    schema = Ask.model_json_schema()
    parts = schema.get("$defs", {})
    fields = {
        name: {**_inlined(each, parts), "description": _said(name)} for name, each in schema["properties"].items()
    }
    for field in fields.values():
        field.pop("title", None)
    as_json = {name: each if name == "question" else _or_null(each) for name, each in fields.items()}
    instance = ArchivedInstance.model_json_schema()
    as_json["image"] = {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {name: instance[name] for name in ("type", "required", "additionalProperties", "properties")},
        ],
        "description": f"The picture's file ({_FORMATS}) in base64, or as a base64 data: URL; where the gateway's "
        "operator allows archives, a DICOM object there: by its identifiers, or by its WADO-RS or WADO-URI address.",
    }
    # In a form everything is a text or a file.
    as_form = {
        **fields,
        "image": {
            "type": "string",
            "format": "binary",
            "description": f"The picture's file: {_FORMATS}.",
        },
        "options": {
            "type": "array",
            "items": _TEXT,
            "description": f"{_said('options')} The field repeated, or once with a JSON list or object.",
        },
        "window": {**_TEXT, "description": f"{_said('window')} A name, or an object in JSON."},
        "groups": {**_TEXT, "description": f"{_said('groups')} An object in JSON."},
    }
    contents = {
        "application/json": _body("VqaRequest", "A question about a picture.", as_json),
        "multipart/form-data": _body("VqaForm", "A question about a picture, as a form.", as_form),
    }
    return {"required": True, "content": {name: {"schema": body} for name, body in contents.items()}}


def _inlined(field: dict[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Put parts of a schema in place of references to them: the body is a part of another document."""
    members = [parts[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in field.get("anyOf", [])]
    return {**field, "anyOf": members} if members else field


def _said(name: str) -> str:
    return Ask.model_fields[name].description or ""


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    """Allow null, which stands for a field that is not sent."""
    shape = {name: value for name, value in field.items() if name != "description"}
    members = [*shape.get("anyOf", [shape]), _NULL]
    unique = [each for place, each in enumerate(members) if each not in members[:place]]
    return {"anyOf": unique, "description": field["description"]}


def _body(title: str, description: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": title,
        "description": description,
        "type": "object",
        "required": ["image", "question"],
        "additionalProperties": False,
        "properties": dict(sorted(fields.items(), key=lambda field: field[0] != "image")),
    }
