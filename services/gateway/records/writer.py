"""Writes records in groups: one commit for all answers that are ready at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import anyio
import structlog

from services.gateway.records.errors import RecordsAwayError
from services.gateway.records.metrics import RecordMetrics
from services.gateway.records.record import Record

_BATCH = 256
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_log = structlog.get_logger(__name__)


class Adds(Protocol):
    """A place that records are written to."""

    async def add(self, records: Sequence[Record]) -> None:
        """Keep records, all or none; raise RecordsAwayError or RecordRefusedError."""


@dataclass(slots=True, eq=False)
class _Waiting:
    record: Record
    # Set once its fate is known, or once nobody waits for it: the database has gone.
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    is_stored: bool = False
    is_refused: bool = False
    has_left: bool = False


class RecordWriter:
    """Writes records one group after the other; what comes while a group is written is the next one.

    An answer waits for its record to be stored, but no longer than the deadline. Where that passes it goes out without,
    and those after it do not wait at all until something could be stored again. Their records stay in line, as long as
    there is room, and are written once the database is back.

    Args:
        store: Where they go.
        metrics: What is counted.
        deadline_s: Longest that an answer waits.
        max_waiting: Most records in line.
        max_bytes: About the most memory that they take.
    """

    def __init__(
        self,
        store: Adds,
        metrics: RecordMetrics,
        *,
        deadline_s: float,
        max_waiting: int,
        max_bytes: int = 64_000_000,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._deadline_s = deadline_s
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._line: deque[_Waiting] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._is_away = False
        self._is_closing = False
        self._ended = asyncio.Event()
        metrics.follow_waiting(lambda: len(self._line))

    @property
    def is_away(self) -> bool:
        """Whether answers go out unrecorded, because one has waited for its record in vain."""
        return self._is_away

    @property
    def waiting(self) -> int:
        """Number of records in line."""
        return len(self._line)

    async def write(self, record: Record) -> bool:
        """Have a record written.

        Returns:
            Whether it is stored. Where it is not it may still be later.
        """
        if len(self._line) >= self._max_waiting or self._bytes + record.size > self._max_bytes:
            self._lose("there is no more room for records that wait", 1)
            return False
        waiting = _Waiting(record)
        self._line.append(waiting)
        self._bytes += record.size
        self._news.set()
        if not self._is_away:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._deadline_s):
                    await waiting.settled.wait()
            if not waiting.settled.is_set():
                # The next answers need not find out for themselves.
                self._leave()
        waiting.has_left = not waiting.is_stored
        return waiting.is_stored

    async def run(self) -> None:
        """Write what comes, until `close`."""
        pause = _FIRST_PAUSE_S
        while self._line or not self._is_closing:
            if not self._line:
                self._news = asyncio.Event()
                await self._news.wait()
                continue
            try:
                await self._write_group()
                pause = _FIRST_PAUSE_S
            except RecordsAwayError as error:
                # Answers that wait go on waiting until their deadline: most of what goes wrong is over by then.
                if not self._is_away:
                    _log.warning("records cannot be stored for now", reason=str(error))
                await anyio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        self._ended.set()

    async def close(self, grace_s: float) -> None:
        """Let `run` end when all is written; what is not within the grace is lost.

        Args:
            grace_s: Seconds.
        """
        self._is_closing = True
        self._news.set()
        with anyio.move_on_after(grace_s):
            await self._ended.wait()
        if self._line:
            self._lose("the gateway ended before the database was back", len(self._line))

    async def _write_group(self) -> None:
        group = [self._line[index] for index in range(min(len(self._line), _BATCH))]
        try:
            await self._store.add([each.record for each in group])
        except RecordsAwayError:
            raise
        except Exception:  # noqa: BLE001, RUF100 - one that is never taken must not take the others with it
            await self._write_singly(group)
        else:
            for each in group:
                each.is_stored = True
        for each in group:
            self._line.popleft()
            self._bytes -= each.record.size
            if each.is_stored:
                self._metrics.records.labels("late" if each.has_left else "stored").inc()
            each.settled.set()
        if self._is_away and any(each.is_stored for each in group):
            self._is_away = False
            _log.info("records are stored again", waiting=len(self._line))

    async def _write_singly(self, group: list[_Waiting]) -> None:
        for each in group:
            if each.is_stored or each.is_refused:
                continue  # the database was away for a moment in the midst of this
            try:
                await self._store.add([each.record])
                each.is_stored = True
            except RecordsAwayError:
                raise
            except Exception as error:  # noqa: BLE001, RUF100 - see above
                each.is_refused = True
                self._lose(f"it was refused: {type(error).__name__}", 1, answer_id=each.record.id)

    def _leave(self) -> None:
        """Let the answers go that wait, their records left in line."""
        if not self._is_away:
            _log.error("answers go out unrecorded: the database is away or too slow")
        self._is_away = True
        for each in self._line:
            each.settled.set()

    def _lose(self, reason: str, count: int, **which: str) -> None:
        self._metrics.records.labels("lost").inc(count)
        _log.error("records lost", reason=reason, count=count, **which)
