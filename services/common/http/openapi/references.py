"""References to schemas of a document."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

SCHEMAS: Final = "#/components/schemas/"
"""Beginning of every reference to a schema."""


def reference(model: type[BaseModel] | str) -> dict[str, str]:
    """Refer to a schema of the document.

    Example:
        >>> reference("ProblemDetails")
        {'$ref': '#/components/schemas/ProblemDetails'}
    """
    return {"$ref": SCHEMAS + (model if isinstance(model, str) else model.__name__)}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Make a model's schema, whose references lead to schemas of the document."""
    return model.model_json_schema(ref_template=f"{SCHEMAS}{{model}}")
