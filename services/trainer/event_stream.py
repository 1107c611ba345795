"""A run's events as server-sent ones (HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
from sse_starlette import ServerSentEvent

from services.common.http.problems import Problem
from services.trainer.metrics import TrainerMetrics
from services.trainer.run_files.events import read_events
from services.trainer.run_files.records import RunRecord, wait_for_writer

EVENT_ID = r"^(([0-9]{1,15})(-end)?)?$"
"""Ids of events: the place behind it, and whether the run's end was heard. An empty one is none."""


def place_of(last_event_id: str | None) -> tuple[int, bool]:
    """Read where a client stopped listening.

    Args:
        last_event_id: The header Last-Event-ID, or None.

    Returns:
        The place to go on from, and whether the client heard the end of the run.

    Raises:
        Problem: 400 if that is no id of an event.
    """
    found = re.fullmatch(EVENT_ID, last_event_id or "")
    if found is None:
        raise Problem(400, "invalid-event-id", "Last-Event-ID is not the id of an event of this stream.")
    return int(found[2] or 0), found[3] is not None


async def follow(
    folder: Path, place: int, read: Callable[[], Awaitable[RunRecord]], *, poll_s: float, metrics: TrainerMetrics
) -> AsyncIterator[ServerSentEvent]:
    """Follow a run's events to its end.

    Args:
        folder: The run's folder.
        place: The place to begin at.
        read: Reads the run's record.
        poll_s: Seconds between two looks at the files.
        metrics: Counts the clients that follow.

    Yields:
        Its events, each with the place after it as its id; at last one named "end".
    """
    metrics.listening += 1
    try:
        while True:
            # In this order: the events of a run that is found closed have all been written when they are read.
            record = await read()
            if record.is_finished:
                await asyncio.to_thread(wait_for_writer, folder)
            events, place = await asyncio.to_thread(read_events, folder, place)
            for event in events:
                yield ServerSentEvent(json.dumps(event.data, ensure_ascii=False), event=event.name, id=str(event.end))
            if events:
                continue
            if record.is_finished:
                outcome = record.model_dump_json(include={"status", "error", "ended", "resumed"})
                yield ServerSentEvent(outcome, event="end", id=f"{place}-end")
                return
            await anyio.sleep(poll_s)
    finally:
        metrics.listening -= 1
