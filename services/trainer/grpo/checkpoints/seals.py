"""Seals of checkpoints: one counts only once a record of its files' sizes and hashes lies beside them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from prompt4trust.files import write_atomically

RECORD = "complete.json"
_NAME = re.compile(r"checkpoint-(\d+)")


def seal(checkpoint: Path) -> None:
    """Declare a checkpoint complete: record the size and hash of each of its files.

    Args:
        checkpoint: Its directory, with everything written.

    Raises:
        OSError: If it cannot be read or the record cannot be written.
    """
    files = {path.name: [path.stat().st_size, _hash(path)] for path in sorted(checkpoint.iterdir()) if path.is_file()}
    write_atomically(checkpoint / RECORD, json.dumps(files, indent=2) + "\n")


def fault(checkpoint: Path) -> str | None:
    """Find the fault of a checkpoint.

    Returns:
        None where every recorded file is there and unchanged, else the fault in a few words.
    """
    try:
        files = json.loads((checkpoint / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "it was not finished"
    except (OSError, ValueError):
        return f"its {RECORD} cannot be read"
    for name, (size, digest) in files.items():
        path = checkpoint / name
        try:
            if path.stat().st_size != size or _hash(path) != digest:
                return f"{name} is damaged"
        except OSError:
            return f"{name} is missing"
    return None


def step_of(checkpoint: Path) -> int:
    """Read a checkpoint's step from its name."""
    found = _NAME.fullmatch(checkpoint.name)
    if found is None:
        raise ValueError(f"{checkpoint.name} is no checkpoint")
    return int(found[1])


def list_checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints below a folder, the latest first, finished or not."""
    found = [path for path in folder.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=step_of, reverse=True)


def latest(folder: Path) -> tuple[Path | None, list[tuple[Path, str]]]:
    """Find the checkpoint to resume from.

    Args:
        folder: The folder that they are saved in.

    Returns:
        The latest one that is whole, or None; and the later ones, each with its fault.
    """
    passed_over: list[tuple[Path, str]] = []
    for checkpoint in list_checkpoints(folder):
        wrong = fault(checkpoint)
        if wrong is None:
            return checkpoint, passed_over
        passed_over.append((checkpoint, wrong))
    return None, passed_over


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
