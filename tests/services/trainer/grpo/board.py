"""TensorBoard's view of a run: its files read by their format, without TensorBoard."""

from __future__ import annotations

import struct
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event

_LENGTH, _CHECKSUM = struct.Struct("<Q"), 4


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Tag -> step -> value. A file that says it begins at a step takes back what earlier ones say from there on."""
    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime_ns):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = _LENGTH.unpack_from(content, place)
            place += _LENGTH.size + _CHECKSUM
            event = Event.FromString(content[place : place + length])
            place += length + _CHECKSUM
            if event.HasField("session_log"):
                found = {
                    tag: {step: value for step, value in values.items() if step < event.step}
                    for tag, values in found.items()
                }
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found
