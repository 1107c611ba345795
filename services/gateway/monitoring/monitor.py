"""Reads what people reviewed, in the background, and says whether calibrated confidence holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import anyio
import anyio.to_thread
import structlog

from prompt4trust.calibration import Pair
from services.gateway.monitoring.kept import MonitoringStore
from services.gateway.monitoring.observer import Observer, Watching
from services.gateway.monitoring.report import CalibrationReport, make_report
from services.gateway.monitoring.watch import Acknowledgement, Alarm
from services.gateway.records.shapes import RecordRefusedError, RecordsAwayError

_PAGE = 500
_SAVE_EVERY_S = 60.0
_CLOSING_S = 2.0
_log = structlog.get_logger(__name__)

Live = Callable[[], Mapping[str, str]]
"""Names the calibrator that is applied to each pair now: the pair's key -> its name."""


class UnknownAlarmError(Exception):
    """There is no such alarm, or somebody has acknowledged it already."""


class Standing(Protocol):
    """What answering asks monitoring."""

    def alarm_for(self, pair: Pair, calibrator: str) -> Alarm | None:
        """Find the alarm of a calibrator that nobody has acknowledged."""
        ...


class Monitor:
    """Keeps an observer in step with the records, and a report of what it knows.

    Several gateways on one database read the same stream and come to the same state; none needs the others.

    Args:
        kept: The records, or None where none are kept.
        watching: How streams are watched.
        live: Which calibrators are applied now.
        every_s: Seconds between two looks at the records.
        clock: Gives the present time, with its zone.
    """

    def __init__(
        self,
        kept: MonitoringStore | None,
        watching: Watching,
        live: Live,
        every_s: float = 5.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._kept = kept
        self._watching = watching
        self._live = live
        self._every_s = every_s
        self._clock = clock
        self._observer: Observer | None = None
        self._was_live: Mapping[str, str] = {}
        self._reading = anyio.Lock()
        self._saved: tuple[datetime, int] | None = None
        self._is_restored = False
        status = "off" if kept is None else "starting"
        self._report = CalibrationReport(
            status=status, window=watching.window, tolerance=watching.tolerance, alpha=watching.alpha
        )

    @property
    def report(self) -> CalibrationReport:
        """What was known when the records were last read."""
        return self._report

    def alarm_for(self, pair: Pair, calibrator: str) -> Alarm | None:
        """Find the alarm of a calibrator that nobody has acknowledged; costs nothing."""
        return None if self._observer is None else self._observer.alarm_of(pair, calibrator)

    async def run(self) -> None:
        """Look at the records again and again, until cancelled."""
        if self._kept is None:
            return
        while True:
            await self.look()
            await anyio.sleep(self._every_s)

    async def look(self) -> None:
        """Take in what was reviewed since the last look. A database that is away leaves everything as it was."""
        if self._kept is None:
            return
        async with self._reading:
            try:
                await self._look(self._kept)
            except (RecordsAwayError, RecordRefusedError) as error:
                if self._report.problem is None:
                    _log.warning("reviews cannot be read", reason=str(error))
                problem = "The database of records cannot be reached: figures are those of the time given."
                self._report = self._report.model_copy(update={"problem": problem})

    async def _look(self, kept: MonitoringStore) -> None:
        observer = self._observer or await self._begin(kept)
        before = observer.seen
        words = await kept.acknowledged()
        heard = observer.acknowledge(words)
        while answers := await kept.records.reviewed(after=observer.position, limit=_PAGE):
            for alarm in await anyio.to_thread.run_sync(observer.see, answers):
                _log.error(
                    "calibrated confidence no longer holds",
                    alarm=alarm.id,
                    pair=alarm.pair.key,
                    calibrator=alarm.calibrator,
                    answer=alarm.crossing.answer,
                    told=alarm.message,
                )
            if len(answers) < _PAGE:
                break
        observer.settle()
        self._observer = observer
        live = dict(self._live())
        if observer.seen != before or heard or live != self._was_live or self._report.status == "starting":
            is_live = partial(_is_live, live)
            self._report = await anyio.to_thread.run_sync(make_report, observer, is_live, self._clock())
            self._was_live = live
        else:
            self._report = self._report.model_copy(update={"as_of": self._clock(), "problem": None})
        await self._save(kept, observer, heard=heard)

    async def _begin(self, kept: MonitoringStore) -> Observer:
        state = await kept.load()
        if state is not None:
            try:
                observer = await anyio.to_thread.run_sync(Observer.restore, state, self._watching)
            except (KeyError, TypeError, ValueError) as error:
                _log.warning("monitoring begins anew from the records", reason=str(error))
            else:
                self._is_restored = True
                self._saved = (self._clock(), observer.seen)
                return observer
        return Observer(self._watching)

    async def _save(self, kept: MonitoringStore, observer: Observer, *, heard: bool) -> None:
        now = self._clock()
        if self._saved is not None and not heard:
            at, seen = self._saved
            if seen == observer.seen or (now - at).total_seconds() < _SAVE_EVERY_S:
                return
        if observer.seen == 0:
            return
        state = await anyio.to_thread.run_sync(observer.state)
        await kept.save(state, observer.seen, now, anew=not self._is_restored)
        self._is_restored = True
        self._saved = (now, observer.seen)

    async def acknowledge(self, alarm: str, who: str, note: str | None) -> None:
        """Take note of an alarm: it stands no longer, and its stream begins anew with the next review.

        Args:
            alarm: Its id.
            who: Who takes note.
            note: What was found, in their words.

        Raises:
            UnknownAlarmError: If there is none that nobody has acknowledged.
            RecordsAwayError: If it cannot be kept.
        """
        await self.look()
        found = [each.alarm for each in self._report.streams if each.alarm is not None and each.alarm.id == alarm]
        if self._kept is None or not found or found[0].state == "acknowledged":
            raise UnknownAlarmError(alarm)
        now = self._clock()
        if self._observer is not None and self._observer.position is not None:
            # What has been seen belongs to the stream that was looked at, whatever the clocks of several gateways say.
            now = max(now, self._observer.position[0])
        await self._kept.acknowledge(Acknowledgement(alarm, now, who, note))
        _log.info("an alarm was acknowledged", alarm=alarm, who=who)
        await self.look()

    async def close(self) -> None:
        """Keep the state for the next start, if that can be done quickly."""
        if self._kept is None or self._observer is None:
            return
        with anyio.move_on_after(_CLOSING_S, shield=True):
            try:
                await self._save(self._kept, self._observer, heard=True)
            except (RecordsAwayError, RecordRefusedError) as error:
                _log.warning("monitoring's state was not kept: the next start reads it anew", reason=str(error))


@asynccontextmanager
async def open_monitor(monitor: Monitor) -> AsyncIterator[Monitor]:
    """Run a monitor for the length of a block."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(monitor.run)
        try:
            yield monitor
        finally:
            tasks.cancel_scope.cancel()
            await monitor.close()


def _is_live(live: Mapping[str, str], pair: Pair, calibrator: str) -> bool:
    return live.get(pair.key) == calibrator
