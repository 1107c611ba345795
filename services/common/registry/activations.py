"""The history of live calibrators, a file that only grows: who changed what, so that a change can be taken back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

HISTORY = "activations.jsonl"
"""The file's name in a registry."""
_log = structlog.get_logger(__name__)


class Activation(BaseModel):
    """A change of what is live.

    Attributes:
        at: When.
        who: The person or program that made it.
        pair: The calibration key that it concerns, as text.
        previous: Name of the calibrator that was live, or None where there was none.
        name: Name of the one that is live since.
        kind: Whether it was chosen, or came back because another was retired.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    who: str
    pair: str
    previous: str | None
    name: str
    kind: Literal["activated", "rolled-back"]


def read_activations(path: Path) -> list[Activation]:
    """Read the changes, the oldest first; a line that cannot be read is logged and left out."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(Activation.model_validate_json(line))
        except ValidationError:
            _log.error("activation left out", file=path.name, line=number)
    return found


def append_activation(path: Path, activation: Activation) -> None:
    """Add a change, on the disk when this returns; to be called by one process at a time, ahead of the change itself.

    Raises:
        OSError: If it cannot be written.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(file).st_size
        # What a crash left of a line must not spoil this one.
        torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        os.write(file, b"\n" * torn + activation.model_dump_json().encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def latest_by_key(history: Iterable[Activation]) -> dict[str, str]:
    """Find what was made live last, by calibration key as text.

    Args:
        history: The changes, the oldest first.
    """
    return {change.pair: change.name for change in history}


def live_before(history: Iterable[Activation], key: str, live: str) -> str | None:
    """Find what was live before what is live now, as an editor's undo would: a change that was taken back is forgotten.

    Args:
        history: The changes, the oldest first.
        key: The calibration key as text.
        live: Name of the calibrator that is live now.

    Returns:
        Its name, or None where nothing earlier is known.
    """
    line: list[str] = []
    for change in history:
        if change.pair != key:
            continue
        _agree(line, change.previous)
        if change.kind == "rolled-back":
            line = line[:-1]
        if line[-1:] != [change.name]:
            line.append(change.name)
    _agree(line, live)
    return line[-2] if len(line) > 1 else None


def _agree(line: list[str], live: str | None) -> None:
    """Make what was live the line's last, where a change was made by hand, or written down and then not made."""
    if live is None or line[-1:] == [live]:
        return
    if line[-2:-1] == [live]:
        line.pop()
    else:
        line.append(live)
