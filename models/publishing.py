"""Publication as all recipes do it: provenance, JSON, and files that those who serve them may read."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import transformers

from prompt4trust.files import write_atomically


def made_with() -> dict[str, Any]:
    """Name the versions that a model was made with and the day, as its provenance has them."""
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    return {"versions": versions, "date": datetime.now(UTC).date().isoformat()}


def open_to_readers(folder: Path) -> None:
    """Let anybody read a directory's files: weights are written private, but services under other users read them."""
    for file in folder.iterdir():
        if file.is_file():
            file.chmod(0o644)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON in one step, its letters as they are, for anybody to read."""
    write_atomically(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", 0o644)


def rounded(interval: dict[str, float | None]) -> dict[str, float | None]:
    """Round what is known of a value and its interval to four decimals.

    Example:
        >>> rounded({"value": 0.123456, "low": None})
        {'value': 0.1235, 'low': None}
    """
    return {key: None if value is None else round(value, 4) for key, value in interval.items()}
