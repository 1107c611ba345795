"""JSON that clients send: read strictly, checked, and refused in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.requests import Request

from services.common.http.body import read_body
from services.common.http.problems import Problem
from services.common.http.strict_json import load_json

_Model = TypeVar("_Model", bound=BaseModel)


def load_object(body: bytes, must: str) -> dict[str, Any]:
    """Read a request's body that is to be an object.

    Args:
        body: The bytes.
        must: What to say of another value: "must be an object with ...".

    Raises:
        Problem: 400 if it is not JSON, 413 if it holds very many values.
        RequestValidationError: If it is no object.
    """
    try:
        fields = load_json(body)
    except UnicodeDecodeError:
        raise Problem(400, "malformed-json", "The request's body is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise Problem(400, "malformed-json", "The request's body is not valid JSON.") from None
    if not isinstance(fields, dict):
        refuse("body", must)
    return fields


def require_json(headers: Headers) -> None:
    """Check that a body calls itself JSON, which no form of another site's page does.

    Raises:
        Problem: 415 if it does not.
    """
    if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Problem(415, "unsupported-media-type", "Send JSON, with Content-Type: application/json.")


async def read_object(request: Request, must: str, *, max_bytes: int, timeout_s: float) -> dict[str, Any]:
    """Read the body of a request whose route takes an object of JSON and nothing else.

    Args:
        request: The request.
        must: What to say of another value: "must be an object with ...".
        max_bytes: Largest body.
        timeout_s: Seconds within which it must have come.

    Raises:
        Problem: 400 if it is not JSON, 408 if it is too slow, 413 if it is too large, 415 if it does not call itself
            JSON, which no form of another site's page does.
        RequestValidationError: If it is no object.
    """
    require_json(request.headers)
    return load_object(await read_body(request.scope, request.receive, max_bytes, timeout_s) or b"", must)


def check_fields(
    model: type[_Model], fields: Mapping[str, Any], context: Mapping[str, Any] | None = None, *, strict: bool = True
) -> _Model:
    """Make a model of what a client sent.

    Args:
        model: The model.
        fields: The fields.
        context: What the model's validators want to know.
        strict: Take no text for a number; off for forms, where everything is a text.

    Raises:
        RequestValidationError: If a field is wrong; it quotes nothing that cannot be printed.
    """
    try:
        return model.model_validate(fields, context=context, strict=strict)
    except ValidationError as error:
        faults: list[Any] = [
            dict(fault) for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        for fault in faults:
            fault["loc"] = tuple(shown(part) for part in fault["loc"])
            if fault["type"] == "string_unicode":
                fault["msg"] = "must be valid Unicode: it holds half of a surrogate pair"
        raise RequestValidationError(faults) from None


def refuse(field: str, message: str) -> NoReturn:
    """Refuse a field; raises RequestValidationError."""
    raise RequestValidationError([{"loc": (field,), "msg": message, "type": "value_error"}])


def shown(part: Any) -> Any:
    """Name a field in a reply: the name comes from the client, and what cannot be printed must not come back."""
    return part if not isinstance(part, str) or (part.isprintable() and len(part) <= 40) else "an unknown field"
