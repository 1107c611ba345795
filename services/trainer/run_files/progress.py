"""A run's progress by its own account, and the names of the files that runs write; everything here blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prompt4trust.files import write_atomically
from services.trainer.run_files.json_lines import read_object

PROGRESS, METRICS, SAMPLES, EVALUATIONS = "progress.json", "metrics.jsonl", "samples.jsonl", "evaluations.jsonl"
DIFFICULTY = "difficulty.json"


def read_progress(folder: Path) -> dict[str, Any]:
    """Read a run's progress by its own account; {} where it has written none."""
    return read_object(folder / PROGRESS)


def reset_progress(folder: Path) -> None:
    """Remove the end of the last attempt from progress.json, so that it cannot be taken for the next one's.

    Raises:
        OSError: If it cannot be written.
    """
    before = read_progress(folder)
    if before:
        kept = {name: before[name] for name in ("step", "steps", "done", "total", "time") if name in before}
        write_atomically(folder / PROGRESS, json.dumps({"state": "queued", **kept}, indent=2) + "\n")
