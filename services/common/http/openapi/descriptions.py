"""Descriptions of fields, out of the docstrings of their models."""

from __future__ import annotations

import re
from typing import Any

from docstring_parser.google import parse
from pydantic.alias_generators import to_camel


def describe(schema: dict[str, Any]) -> None:
    """Take a schema's description, which is its model's docstring, apart: each attribute's part belongs to it."""
    parsed = parse(schema.get("description", ""))
    if parsed.description:
        schema["description"] = _in_json(parsed.description)
    said = {each.arg_name: each.description or "" for each in parsed.params}
    # A standard's fields have its names on the wire, in camel case.
    said |= {to_camel(name): text for name, text in said.items()}
    for name, found in schema.get("properties", {}).items():
        if "description" not in found and said.get(name):
            found["description"] = _in_json(said[name])


def _in_json(text: str) -> str:
    """Put Python's words in JSON's, on one line a paragraph."""
    words = {"None": "null", "True": "true", "False": "false"}
    lines = re.sub(r"(?<!\n)\n[ \t]*(?!\n)", " ", text.strip())
    return re.sub(r"\b(?:None|True|False)\b", lambda found: words[found[0]], lines)
