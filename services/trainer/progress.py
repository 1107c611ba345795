"""What a run's files say of how it goes; everything here blocks, and reads no more than it returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prompt4trust.files import write_atomically

PROGRESS, METRICS, SAMPLES, EVALUATIONS = "progress.json", "metrics.jsonl", "samples.jsonl", "evaluations.jsonl"
_LINE = 32 * 1024
"""Room for one line; guidance and reply are a few hundred tokens each."""


def read_progress(folder: Path) -> dict[str, Any]:
    """Read where a run stands by its own account; {} where it has not said."""
    return read_object(folder / PROGRESS)


def reset_progress(folder: Path) -> None:
    """Strike out how the last attempt ended, so that it cannot be taken for the next one's end.

    Raises:
        OSError: If it cannot be written.
    """
    before = read_progress(folder)
    if before:
        kept = {name: before[name] for name in ("step", "steps", "done", "total", "time") if name in before}
        write_atomically(folder / PROGRESS, json.dumps({"state": "queued", **kept}, indent=2) + "\n")


def describe_training(folder: Path) -> dict[str, Any]:
    """Sum a training run up.

    Returns:
        {"metrics", "before", "after"}: the last step's figures, the evaluation of the policy that it began with, and
        of its best checkpoint so far; each None where there is none yet.
    """
    from services.trainer.grpo.selection import best_of

    last = tail(folder / METRICS, 1)
    evaluations = {record["step"]: record for record in tail(folder / EVALUATIONS, 1000) if "step" in record}
    config = read_object(folder / "config.json").get("config", {})
    objective = config.get("selection", {}).get("objective", "reward") if isinstance(config, dict) else "reward"
    return {
        "metrics": last[-1] if last else None,
        "before": evaluations.get(0),
        "after": best_of(evaluations, objective),
    }


def tail(path: Path, count: int) -> list[dict[str, Any]]:
    """Read the last objects of a file of JSON lines.

    Args:
        path: The file; it need not exist.
        count: How many, at most.

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
