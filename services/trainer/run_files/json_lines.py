"""JSON objects in files, one a line or one a file, which may be read while others write them or were killed at it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_LINE = 32 * 1024
"""Room for one line; guidance and reply are a few hundred tokens each."""


def to_line(record: Mapping[str, Any]) -> str:
    """Write an object as a line, without its end; JSON knows no NaN: a figure that is not defined becomes null."""
    return json.dumps(_finite(dict(record)), ensure_ascii=False)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the JSON lines that name a training step; what a crash left half written at the end is skipped.

    Args:
        path: The file; nothing is read where there is none.
    """
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "step" in record:
            yield record


def tail(path: Path, count: int) -> list[dict[str, Any]]:
    """Read the last objects of a file of JSON lines.

    Args:
        path: The file; it need not exist.
        count: Number of objects, at most.

    Returns:
        They, in their order. Lines that are not whole are left out; fewer come where lines are very long.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            start = max(0, size - _LINE * (count + 1))
            stream.seek(start)
            lines = stream.read().split(b"\n")[:-1]
    except OSError:
        return []
    found = []
    for line in lines[1:] if start else lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found[-count:]


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; {} where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return value
