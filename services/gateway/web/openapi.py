"""Parts of the OpenAPI document for bodies that the routes read themselves, made of the models that validate them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from services.gateway.schemas import Ask

_PICTURE = {
    "application/json": {"type": "string", "description": "Base64, or a base64 data: URL."},
    "multipart/form-data": {"type": "string", "format": "binary"},
}


def problem(description: str) -> dict[str, Any]:
    """Describe a status that comes as a problem document."""
    schema = {"type": "object", "required": ["type", "title", "status", "detail"], "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
        "detail": {"type": "string"}, "request_id": {"type": "string"}}}  # fmt: skip
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def _untitled(field: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in field.items() if name != "title"}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body that is one object of a model, as `openapi_extra`."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def vqa_body() -> dict[str, Any]:
    """Describe the body of /vqa: the fields of `Ask`, and the picture in the form that the content type has for it."""
    schema = Ask.model_json_schema()
    fields = {name: _untitled(field) for name, field in schema["properties"].items()}
    return {
        "required": True,
        "content": {
            media_type: {
                "schema": {
                    "type": "object",
                    "required": ["image", "question"],
                    "additionalProperties": False,
                    "properties": {"image": picture, **fields},
                }
            }
            for media_type, picture in _PICTURE.items()
        },
    }
