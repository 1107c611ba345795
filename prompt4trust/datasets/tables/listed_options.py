"""Options as tables hold them: in one cell, with letters of their own or without, and answers that repeat a letter."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from prompt4trust.datasets._base import plain_text
from prompt4trust.options.letters import line_texts

_NAMES = (("label", "text"), ("key", "value"))
_LONGEST_CELL = 20_000


def listed(value: object) -> list[str] | None:
    r"""Read a cell of options.

    Args:
        value: A list, an object of letters, a list of letters beside one of texts, or of objects of both, as such or as
            JSON or as Python writes it; or lines that begin with A, B, ...

    Returns:
        The texts, as they are written there, lines without their letters; nothing where the cell is empty; None where
        it holds no list.

    Example:
        >>> listed("['Left', 'Right']"), listed("A: Left\nB: Right"), listed("Left or right")
        (['Left', 'Right'], ['Left', 'Right'], None)
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return []
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, dict):
        value = _by_letter(value)
    elif isinstance(value, list | tuple) and value and all(isinstance(each, dict) for each in value):
        value = _by_letter(_joined(value)) or None  # [{}] is no list of options, as [] is one of none
    return [plain_text(each) for each in value] if isinstance(value, list | tuple) else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also a number of more digits than Python reads
        pass
    if text.lstrip()[:1] in ("[", "(", "{") and len(text) <= _LONGEST_CELL:
        try:
            # pandas writes lists so; only literals are read, and nothing is run.
            found = ast.literal_eval(text.strip())
            return found if len(found) > 1 else None  # a numpy array has no commas: its texts come joined to one
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            pass
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return line_texts(lines) if len(lines) > 1 else None


def _joined(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put a list of {"label": "A", "text": ...} as an object of lists."""
    return {name: [row.get(name) for row in rows] for name in rows[0]}


def _by_letter(value: Mapping[Any, Any]) -> list[Any] | None:
    """Read an object of letters, or one with a list of letters and one of texts."""
    for letters, texts in _NAMES:
        named, said = value.get(letters), value.get(texts)
        if isinstance(named, list) and isinstance(said, list) and len(value) == 2 and len(named) == len(said):
            return _by_letter(dict(zip(map(str, named), said, strict=True))) if len({*named}) == len(named) else None
    given = {str(name).strip().upper(): text for name, text in value.items() if text not in (None, "")}
    if sorted(given) != [*ascii_uppercase[: len(given)]] or len(given) != sum(
        text not in (None, "") for text in value.values()
    ):
        return None
    return [given[name] for name in sorted(given)]
