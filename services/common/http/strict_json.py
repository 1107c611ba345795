"""JSON that can be read in one way only."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from services.common.http.body import check_json_values


def load_json(text: str | bytes) -> Any:
    """Read JSON in which no key is given twice and no number is NaN.

    Not pydantic's own reader: it calls a lone surrogate malformed JSON, which by RFC 8259 it is not.

    Raises:
        Problem: 413 if it holds very many values.
        ValueError: If it is none; a UnicodeDecodeError if its bytes are not UTF-8.
        RecursionError: If it is nested too deep.

    Example:
        >>> load_json('{"a": 1}')
        {'a': 1}
        >>> load_json('{"a": 1, "a": 2}')
        Traceback (most recent call last):
        ...
        ValueError: a key is given twice
    """
    check_json_values(text)
    # A byte order mark says nothing, and some clients send one.
    read = text if isinstance(text, str) else text.decode("utf-8-sig")
    return json.loads(read, object_pairs_hook=_object, parse_constant=_no_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Parsers disagree on which of two equal keys counts, so neither does.
        raise ValueError("a key is given twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
