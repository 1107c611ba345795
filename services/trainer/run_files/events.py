"""Events of a run in their order: events.jsonl, to which lines are only ever added.

A run that is resumed goes back to its checkpoint and rewrites its metrics; its events say that too, so a reader's place
in them, a number of bytes, stays good for ever.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.trainer.run_files.json_lines import to_line

EVENTS = "events.jsonl"
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a run.

    Attributes:
        name: Its kind.
        data: The particulars.
        end: Place at which the next event begins.
    """

    name: str
    data: dict[str, Any]
    end: int


class EventLog:
    """Adds to a run's events; several processes may.

    Args:
        folder: The run's folder.
        now: The time of day.
    """

    def __init__(self, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = folder / EVENTS
        self._now = now

    def write(self, event: str, **data: Any) -> None:
        """Add an event.

        Args:
            event: Its kind.
            data: The particulars; a figure that is not finite becomes null.

        Raises:
            OSError: If it cannot be written.
        """
        record = {"event": event, **data, "time": self._now().isoformat(timespec="seconds")}
        line = to_line(record).encode() + b"\n"
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # a crash or a full disk cut the last one off
            os.write(descriptor, line)  # in one piece: nobody else's line comes between
        finally:
            os.close(descriptor)


def read_events(folder: Path, start: int) -> tuple[list[Event], int]:
    """Read the events from a place on, as many as are there and are not too many.

    Args:
        folder: The run's folder.
        start: The place: 0, or the end of an event. Any other place counts as the end of the line that it is in; a
            client may name one far beyond the file's end.

    Returns:
        The events, and the place to read on from; it is the same as before only where there is nothing more.
    """
    begin = max(start - 1, 0)
    try:
        with (folder / EVENTS).open("rb") as stream:
            if begin >= os.fstat(stream.fileno()).st_size:
                return [], start  # without a look: file systems refuse places that no file of theirs can have
            stream.seek(begin)
            chunk = stream.read(_CHUNK)
    except FileNotFoundError:
        return [], start
    whole = chunk.rfind(b"\n") + 1
    if start > 0:
        first = chunk.find(b"\n") + 1
        if first == 0:
            return [], begin + len(chunk) + 1 if len(chunk) == _CHUNK else start
    else:
        first = 0
    events, place = [], begin + first
    for line in chunk[first:whole].split(b"\n")[:-1]:
        place += len(line) + 1
        event = _parse(line, place)
        if event is not None:
            events.append(event)
    if place == begin + first and len(chunk) == _CHUNK:
        place = begin + len(chunk)  # a line without an end is no event
    return events, max(place, start)


def _parse(line: bytes, end: int) -> Event | None:
    try:
        record = json.loads(line)
        return Event(str(record.pop("event")), record, end)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None  # what a crash left half written
