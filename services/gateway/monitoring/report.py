"""Monitoring's report: the reply of GET /calibration, of which the page and the metrics are made as well."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel

from prompt4trust.calibration import Bin, CalibrationKey, reliability
from prompt4trust.metrics import Interval
from prompt4trust.metrics.consistency import reliability_band
from prompt4trust.metrics.curves import risk_coverage_curve
from prompt4trust.monitoring import DriftFinding, LiveFigures
from services.common.http.openapi.quantities import Amount, Count, Positive, Share
from services.gateway.monitoring.observer import Observer
from services.gateway.monitoring.watched_stream import Alarm, Kind, WatchedStream
from services.gateway.monitoring.window import PAIR, arrays, figures_of, slices

_GROUP_RESAMPLES = 100
_CURVE_POINTS = 50
_DAYS_SHOWN = 14


class Figure(BaseModel):
    """A figure with its 95 % interval; None where it is undefined.

    Attributes:
        value: The figure.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: Share | None
    low: Share | None
    high: Share | None

    @classmethod
    def of(cls, interval: Interval) -> Self:
        """Take it from an interval."""
        return cls(**{name: None if each is None else round(each, 6) for name, each in interval.as_json().items()})


class WindowFigures(BaseModel):
    """Figures of a set of reviewed answers; see `prompt4trust.monitoring.LiveFigures`.

    Attributes:
        reviewed: Answers.
        calibrated: Those among them with a calibrated confidence, which ece to mean_confidence are of.
        answered: Answers that were given, not left to a person.
        errors: Wrong ones among these.
        ece: Expected calibration error.
        chance: This error by chance alone, were the confidences right: mean, and a 95 % band.
        brier: Brier score.
        accuracy: Share of right answers.
        mean_confidence: Mean confidence.
        coverage: Share of answers that were given.
        selective_risk: Share of wrong ones among those given.
    """

    reviewed: Count
    calibrated: Count
    answered: Count
    errors: Count
    ece: Figure
    chance: Figure
    brier: Figure
    accuracy: Figure
    mean_confidence: Figure
    coverage: Figure
    selective_risk: Figure

    @classmethod
    def of(cls, found: LiveFigures) -> Self:
        """Take them from live figures."""
        values = {name: getattr(found, name) for name in cls.model_fields}
        return cls(**{name: Figure.of(each) if isinstance(each, Interval) else each for name, each in values.items()})


class SliceFigures(BaseModel):
    """Figures of the answers with one value of one label.

    Attributes:
        value: The value.
        figures: The figures.
    """

    value: str
    figures: WindowFigures


class FindingReply(BaseModel):
    """The deviation that the evidence points to; see `prompt4trust.monitoring.DriftFinding`.

    Attributes:
        direction: In which way confidence is off.
        region: At which confidences, in words.
        since: Number of the answer, from 1, from which on the evidence has gathered; an estimate.
        n: Answers since then that show it.
        stated: Their mean confidence.
        right: Their share of right answers.
    """

    direction: str
    region: str
    since: Positive
    n: Count
    stated: Share
    right: Share

    @classmethod
    def of(cls, found: DriftFinding | None) -> Self | None:
        """Take it from a finding."""
        if found is None:
            return None
        return cls(
            direction=found.direction,
            region=found.region,
            since=found.since,
            n=found.n,
            stated=round(found.stated, 4),
            right=round(found.right, 4),
        )


class AcknowledgementReply(BaseModel):
    """An acknowledgement of an alarm.

    Attributes:
        at: When.
        who: By whom.
        note: Findings, or None.
    """

    at: datetime
    who: str
    note: str | None


class AlarmReply(BaseModel):
    """An alarm.

    Attributes:
        id: What to name when it is acknowledged.
        state: standing; acknowledged by an administrator; or superseded, what it is about being applied no longer.
        at: When the review came in that made the evidence sufficient.
        answer: The number of its answer in the stream.
        message: What is wrong, for a person.
        finding: The same in figures.
        acknowledged: By whom, where it was.
    """

    id: str
    state: Literal["standing", "acknowledged", "superseded"]
    at: datetime
    answer: Positive
    message: str
    finding: FindingReply | None
    acknowledged: AcknowledgementReply | None


class StreamReply(BaseModel):
    """A stream of answers that is tested.

    Attributes:
        id: Of the stream.
        number: Which stream of the gateway it is, from 1.
        kind: calibrator: that calibrated confidence holds; guard: that of the answers given no more are wrong than
            was promised.
        pair: Of whose answers.
        name: Of the calibrator or guard.
        fitted: When it was made; null where that is not known any more.
        applied: Whether it is applied to its pair now.
        live: Whether it is, and the stream is open: no alarm of it was acknowledged.
        since: When its first review came.
        last: When its last one came.
        n: Answers in it.
        alpha: Probability with which it may ever raise a false alarm.
        evidence: Natural logarithm of the e-value now.
        limit: What it must reach for an alarm.
        p_value: At most this likely is such evidence, at any time up to now, if the promise holds.
        figures: Of its newest answers.
        finding: What the evidence points to now, however weak.
        alarm: Its alarm.
        history: Evidence and figures (of the newest answers then) over the stream.
    """

    id: str
    number: Positive
    kind: Kind
    pair: CalibrationKey
    name: str
    fitted: datetime | None
    applied: bool
    live: bool
    since: datetime | None
    last: datetime | None
    n: Count
    alpha: Share
    evidence: float
    limit: Amount
    p_value: Share
    figures: WindowFigures
    finding: FindingReply | None
    alarm: AlarmReply | None
    history: list[dict[str, Any]]


class CalibrationReport(BaseModel):
    """All that monitoring knows.

    Attributes:
        status: off (no records are kept), starting (the records have not been read yet), empty (nothing is reviewed),
            watching, or alarm.
        problem: Why this may be out of date, or null.
        as_of: When the records were last read.
        reviewed: Answers reviewed in all.
        window: How many of the newest ones figures are of.
        tolerance: Distance between confidence and share of right answers that the test overlooks.
        alpha: Probability with which the gateway may ever raise a false alarm.
        figures: Of the newest answers.
        by: The same by pair of models and by what clients told: label -> values, the most frequent first.
        reliability: Of the newest answers with a calibrated confidence.
        band: For each of its bins, where its bar would end by chance in 95 % of cases were the confidences right.
        risk_coverage: (coverage, risk) of them in ascending order of coverage.
        streams: What is tested, live ones first.
        days: The newest days (of answering, UTC) on which an answer was reviewed since.
        history: Figures of the newest answers at earlier times.
    """

    status: Literal["off", "starting", "empty", "watching", "alarm"]
    problem: str | None = None
    as_of: datetime | None = None
    reviewed: Count = 0
    window: Positive
    tolerance: Share
    alpha: Share
    figures: WindowFigures | None = None
    by: dict[str, list[SliceFigures]] = {}
    reliability: tuple[Bin, ...] = ()
    band: list[tuple[float, float] | None] = []
    risk_coverage: list[tuple[float, float]] = []
    streams: list[StreamReply] = []
    days: list[dict[str, Any]] = []
    history: list[dict[str, Any]] = []

    @property
    def standing(self) -> list[AlarmReply]:
        """The alarms that nobody has acknowledged, of what is applied now."""
        return [each.alarm for each in self.streams if each.alarm is not None and each.alarm.state == "standing"]


def make_report(observer: Observer, is_applied: Callable[[WatchedStream], bool], as_of: datetime) -> CalibrationReport:
    """Make the report of an observer. This takes a while: some 10 ms a set of answers.

    Args:
        observer: The observer; nobody may change it meanwhile.
        is_applied: Whether a watch is of a calibrator or guard that is applied now.
        as_of: When the records were read.
    """
    rows = list(observer.window.rows)
    confidence, correct, _ = arrays(rows)
    known = ~np.isnan(confidence)
    by: dict[str, list[SliceFigures]] = {}
    for name, value, part in slices(rows, (PAIR, *observer.watching.groups)):
        found = WindowFigures.of(figures_of(part, _GROUP_RESAMPLES))
        by.setdefault(name, []).append(SliceFigures(value=value, figures=found))
    streams = [_stream(watch, is_applied(watch)) for watch in observer.watches]
    streams.sort(key=lambda each: (not each.live, each.number))
    stands = any(each.alarm is not None and each.alarm.state == "standing" for each in streams)
    return CalibrationReport(
        status="alarm" if stands else "watching" if rows else "empty",
        as_of=as_of,
        reviewed=observer.seen,
        window=observer.watching.window,
        tolerance=observer.watching.tolerance,
        alpha=observer.watching.alpha,
        figures=WindowFigures.of(figures_of(rows)) if rows else None,
        by=by,
        reliability=reliability(confidence[known], correct[known]) if known.any() else (),
        band=reliability_band(confidence[known], resamples=400) if known.any() else [],
        risk_coverage=risk_coverage_curve(confidence[known], correct[known], points=_CURVE_POINTS)
        if known.any()
        else [],
        streams=streams,
        days=[
            {"day": date, **observer.window.days[date].figures()}
            for date in sorted(observer.window.days, reverse=True)[:_DAYS_SHOWN]
        ],
        history=list(observer.history.points),
    )


def _stream(watch: WatchedStream, is_applied: bool) -> StreamReply:
    live = is_applied and watch.acknowledged is None
    return StreamReply(
        id=watch.id,
        number=watch.number,
        kind=watch.kind,
        pair=watch.key,
        name=watch.name,
        fitted=watch.fitted,
        applied=is_applied,
        live=live,
        since=watch.first,
        last=watch.last,
        n=watch.test.n,
        alpha=watch.test.alpha,
        evidence=round(watch.test.log_e, 4),
        limit=round(-math.log(watch.test.alpha), 4),
        p_value=math.exp(-watch.test.log_peak),
        figures=WindowFigures.of(figures_of(watch.rows, _GROUP_RESAMPLES)),
        finding=FindingReply.of(watch.test.finding()),
        alarm=None if watch.alarm is None else _alarm(watch, watch.alarm, live),
        history=list(watch.history.points),
    )


def _alarm(watch: WatchedStream, alarm: Alarm, live: bool) -> AlarmReply:
    word = watch.acknowledged
    return AlarmReply(
        id=alarm.id,
        state="acknowledged" if word else "standing" if live else "superseded",
        at=alarm.at,
        answer=alarm.crossing.answer,
        message=alarm.message,
        finding=FindingReply.of(alarm.crossing.finding),
        acknowledged=AcknowledgementReply(at=word.at, who=word.who, note=word.note) if word else None,
    )
