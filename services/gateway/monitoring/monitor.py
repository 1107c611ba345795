"""Reads what people reviewed, in the background, and says whether calibrated confidence holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
import anyio.to_thread
import structlog

from prompt4trust.calibration import CalibrationKey
from services.gateway.errors import UnknownAlarmError
from services.gateway.monitoring.observer import Observer, Watching
from services.gateway.monitoring.report import CalibrationReport, make_report
from services.gateway.monitoring.store import MonitoringStore
from services.gateway.monitoring.watched_stream import (
    KINDS,
    Acknowledgement,
    Alarm,
    Fit,
    Kind,
    StreamKey,
    WatchedStream,
)
from services.gateway.records.errors import RecordRefusedError, RecordsAwayError

_PAGE = 500
_SAVE_EVERY_S = 60.0
_CLOSING_S = 2.0
_NEVER = datetime.min.replace(tzinfo=UTC)
_log = structlog.get_logger(__name__)

Applied = Callable[[Kind, CalibrationKey], Fit | None]
"""Names the calibrator, or the guard, that is applied to answers of a calibration key now."""


async def _nothing() -> None:
    """Read nothing: what is applied is known without."""


class Monitor:
    """Keeps an observer in step with the records, and a report of what it knows.

    Several gateways on one database read the same stream and come to the same state; none needs the others.

    Args:
        kept: The records, or None where none are kept.
        watching: How streams are watched.
        applied: Which calibrators and guards are applied now.
        every_s: Seconds between two looks at the records.
        clock: Gives the present time, with its zone.
        refresh: Brings what is applied in step with the registry, before each look: nobody may be asking questions.
    """

    def __init__(
        self,
        kept: MonitoringStore | None,
        watching: Watching,
        applied: Applied,
        every_s: float = 5.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        refresh: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._kept = kept
        self._watching = watching
        self._applied = applied
        self._every_s = every_s
        self._clock = clock
        self._refresh = refresh
        self._observer: Observer | None = None
        # Replaced as a whole: answers look at it while reviews are taken in beside.
        self._alarms: Mapping[StreamKey, Alarm] = {}
        self._was_applied: frozenset[StreamKey] = frozenset()
        self._reading = anyio.Lock()
        self._saved: tuple[datetime, int] | None = None
        self._is_restored = False
        self._strikes = 0
        status = "off" if kept is None else "starting"
        self._report = CalibrationReport(
            status=status, window=watching.window, tolerance=watching.tolerance, alpha=watching.alpha
        )

    @property
    def report(self) -> CalibrationReport:
        """The report of the last look at the records."""
        return self._report

    def alarm_for(self, key: CalibrationKey) -> Alarm | None:
        """Find a standing alarm of what is applied to answers of a key; costs next to nothing."""
        if not self._alarms:
            return None
        fits = ((kind, self._applied(kind, key)) for kind in KINDS)
        found = (self._alarms.get(fit.stream_key(kind, key)) for kind, fit in fits if fit is not None)
        return next((alarm for alarm in found if alarm is not None), None)

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
                self._tell("The database of records cannot be reached: figures are those of the time given.")
            except Exception:
                # Whatever is wrong here must not end the gateway, whose answers do not depend on it.
                _log.exception("monitoring failed")
                self._tell("Monitoring failed, and tries again; the log says why. Figures are those of the time given.")

    def _tell(self, problem: str) -> None:
        self._report = self._report.model_copy(update={"problem": problem})

    async def _look(self, kept: MonitoringStore) -> None:
        await self._refresh()
        strikes = await kept.strikes()
        observer = self._observer or await self._begin(kept, strikes)
        is_anew = strikes != self._strikes and self._observer is not None
        if is_anew:
            # What was struck has been counted: everything that stands is read again. Until then all is as it was.
            _log.info("reviews were struck or restored: monitoring begins anew", strikes=strikes)
            observer, self._is_restored, self._saved = observer.anew(), False, None
        before = observer.seen
        words = await kept.acknowledged()
        heard = observer.acknowledge(words)
        while answers := await kept.records.reviewed(after=observer.position, limit=_PAGE):
            self._learn(observer, {each.key.line: each.key for each in answers}.values())
            for alarm in await anyio.to_thread.run_sync(observer.see, answers):
                _log.error(
                    "a promise no longer holds",
                    alarm=alarm.id,
                    pair=alarm.key.line,
                    kind=alarm.kind,
                    name=alarm.name,
                    answer=alarm.crossing.answer,
                    told=alarm.message,
                )
            if len(answers) < _PAGE:
                break
        observer.settle()
        self._observer, self._strikes = observer, strikes
        self._alarms = observer.alarms()
        applied = frozenset(watch.stream_key for watch in observer.watches if self._is_applied(watch))
        is_other = is_anew or heard or applied != self._was_applied
        if observer.seen != before or is_other or self._report.status == "starting":
            self._report = await anyio.to_thread.run_sync(
                make_report, observer, lambda watch: watch.stream_key in applied, self._clock()
            )
            self._was_applied = applied
        else:
            self._report = self._report.model_copy(update={"as_of": self._clock(), "problem": None})
        await self._save(kept, observer, heard=heard)

    def _learn(self, observer: Observer, keys: Iterable[CalibrationKey]) -> None:
        for key in keys:
            for kind in KINDS:
                if (fit := self._applied(kind, key)) is not None:
                    observer.learn(kind, key, fit)

    def _is_applied(self, watch: WatchedStream) -> bool:
        return self._applied(watch.kind, watch.key) == Fit(watch.name, watch.fitted or _NEVER)

    async def _begin(self, kept: MonitoringStore, strikes: int) -> Observer:
        state = await kept.load()
        if state is not None:
            try:
                observer = await anyio.to_thread.run_sync(Observer.restore, state, self._watching)
            except (KeyError, TypeError, ValueError) as error:
                _log.warning("monitoring begins anew from the records", reason=str(error))
            else:
                if state.get("strikes", 0) != strikes:
                    return observer.anew()
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
        state = {**await anyio.to_thread.run_sync(observer.state), "strikes": self._strikes}
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
