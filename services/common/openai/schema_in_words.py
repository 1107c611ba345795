"""JSON schemas that clients tell a model in words, as they do where they know of no parameter for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.common.http.strict_json import load_json

_LONGEST: Final = 64_000


@dataclass(frozen=True, slots=True)
class SchemaInWords:
    """A text, taken apart.

    Attributes:
        schema: The schema of an object.
        words: What stands around it.
    """

    schema: Mapping[str, Any]
    words: str


def schema_in_words(text: str) -> SchemaInWords | None:
    """Find the one JSON schema that a text holds.

    It reaches from the text's first brace to its last, is of an object and names properties. Whatever else has braces
    could be meant otherwise, such as an example, and is none.

    Args:
        text: The text.

    Returns:
        What was found; None where there is none, or the text is longer than 64 000 characters.

    Raises:
        Problem: 413 if the text holds very many values.

    Example:
        >>> found = schema_in_words('Reply by: {"type": "object", "properties": {"letter": {}}} Thanks.')
        >>> found.words.split(), list(found.schema["properties"])
        (['Reply', 'by:', 'Thanks.'], ['letter'])
    """
    first, last = text.find("{"), text.rfind("}")
    if first < 0 or last < first or len(text) > _LONGEST:
        return None
    try:
        found = load_json(text[first : last + 1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("type") != "object" or not isinstance(found.get("properties"), dict):
        return None
    return SchemaInWords(found, f"{text[:first]} {text[last + 1 :]}") if found["properties"] else None
