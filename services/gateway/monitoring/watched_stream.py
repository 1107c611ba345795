"""One stream of answers that is tested: those that one calibrator, or one guard, promised something of."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

from prompt4trust.calibration import CalibrationKey
from prompt4trust.meaning import is_open_wording
from prompt4trust.monitoring import CALIBRATION, OVERCONFIDENCE, PROMISE, Bets, Crossing, SequentialTest
from services.gateway.monitoring.history import History
from services.gateway.monitoring.window import WindowRow, point_of
from services.gateway.records.reviewed_answer import ReviewedAnswer

Kind = Literal["calibrator", "guard"]
"""The promise tested: that calibrated confidence holds, or that no more of the answers given are wrong than said."""
KINDS: tuple[Kind, ...] = ("calibrator", "guard")
StreamKey = tuple[Kind, str, str, str]
"""The kind of promise, the calibration key as a line, the artifact's name, and when that was made."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibrator or guard as it is applied now: a later one may have the same name.

    Attributes:
        name: Its name.
        fitted: When it was made.
    """

    name: str
    fitted: datetime

    def stream_key(self, kind: Kind, key: CalibrationKey) -> StreamKey:
        """Find the key of the streams of what it promises of a calibration key's answers."""
        return kind, key.line, self.name, self.fitted.isoformat()


def begin_test(kind: Kind, key: CalibrationKey, alpha: float, tolerance: float) -> SequentialTest:
    """Make the test of a new stream; what a guard promises is exact, and overlooks nothing."""
    return SequentialTest(alpha, tolerance if kind == "calibrator" else 0.0, _bets(kind, key))


def _bets(kind: Kind, key: CalibrationKey) -> Bets:
    if kind == "guard":
        return PROMISE
    # The judge of open answers takes those that are right in other words for wrong, and people do not: a confidence
    # fitted by it is a lower bound, and that more answers are right says nothing against it.
    return OVERCONFIDENCE if is_open_wording(key.answer_template) else CALIBRATION


def claims(answer: ReviewedAnswer) -> list[tuple[Kind, str, float]]:
    """List what was promised of an answer: by what kind of evidence, its name, and how probable a right answer is.

    A guard promises something of the answers that are given, and nothing of those that are left to a person.
    """
    found: list[tuple[Kind, str, float]] = []
    if answer.calibrator is not None and answer.confidence is not None:
        found.append(("calibrator", answer.calibrator, answer.confidence))
    if answer.guard is not None and answer.max_risk is not None and answer.decision == "answer":
        found.append(("guard", answer.guard, 1 - answer.max_risk))
    return found


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An administrator's word on an alarm.

    Attributes:
        alarm: The watch's id.
        at: When it was said (UTC).
        who: Who said it.
        note: What was found, in their words.
    """

    alarm: str
    at: datetime
    who: str
    note: str | None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"alarm": self.alarm, "at": self.at.isoformat(), "who": self.who, "note": self.note}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Make one of what `as_json` returned."""
        return cls(state["alarm"], datetime.fromisoformat(state["at"]), state["who"], state["note"])


@dataclass(frozen=True, slots=True)
class Alarm:
    """A promise that no longer holds.

    Attributes:
        id: Of the watch that raised it.
        kind: What promised.
        key: Of whose answers.
        name: Of the calibrator or guard.
        at: When the review came in that made the evidence sufficient.
        crossing: At which answer, and what the evidence pointed to then.
    """

    id: str
    kind: Kind
    key: CalibrationKey
    name: str
    at: datetime
    crossing: Crossing

    @property
    def reason(self) -> str:
        """The alarm for a person, as the end of a sentence."""
        found = self.crossing.finding
        if self.kind == "guard":
            told = "reviews show that more of the answers given are wrong than was promised"
            if found is None:
                return told
            return f"{told} ({1 - found.right:.2f} of {found.n}, where {1 - found.stated:.2f} at most was promised)"
        told = "reviews show that calibrated confidence no longer holds"
        if found is None:
            return told
        where = "" if found.region == "everywhere" else f" at {found.region}"
        return (
            f"{told} ({found.direction}{where}: stated {found.stated:.2f}, right {found.right:.2f} of the time, on "
            f"{found.n} answers)"
        )

    @property
    def message(self) -> str:
        """The same as a sentence."""
        return f"{self.reason[0].upper()}{self.reason[1:]}."


class WatchedStream:
    """A stream, its test, its newest rows and its history.

    Args:
        kind: What promised.
        key: Of whose answers.
        name: Of the calibrator or guard.
        fitted: When it was made, as far as that is known: another one may have had this name before.
        round: How many watches of the same two were closed before, by acknowledged alarms.
        number: Which stream of this gateway it is, from 1 in the order in which they began.
        test: Its test.
        size: How many of its newest rows figures are of.
    """

    def __init__(
        self,
        kind: Kind,
        key: CalibrationKey,
        name: str,
        fitted: datetime | None,
        round: int,
        number: int,
        test: SequentialTest,
        size: int,
    ) -> None:
        self.kind = kind
        self.key = key
        self.name = name
        self.fitted = fitted
        self.round = round
        self.number = number
        self.test = test
        self.rows: deque[WindowRow] = deque(maxlen=size)
        self.history = History()
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.alarm: Alarm | None = None
        self.acknowledged: Acknowledgement | None = None

    @property
    def id(self) -> str:
        """A name that every gateway gives to the same stream."""
        named = "\n".join((*self.stream_key, str(self.round)))
        return hashlib.sha256(named.encode()).hexdigest()[:12]

    @property
    def stream_key(self) -> StreamKey:
        """The key by which the stream is found."""
        return self.kind, self.key.line, self.name, _written(self.fitted) or ""

    def see(self, answer: ReviewedAnswer, row: WindowRow, claim: float) -> Alarm | None:
        """Take in an answer of which something was promised.

        Args:
            answer: The answer.
            row: The same, for figures.
            claim: The probability of being right that was promised.

        Returns:
            The alarm, if this answer raised it.
        """
        self.test.update([claim], [row.correct])
        self.rows.append(row)
        self.first = self.first or answer.reviewed_at
        self.last = answer.reviewed_at
        n = self.test.n
        if self.history.is_due(n):
            at = answer.reviewed_at.isoformat()
            self.history.add({"n": n, "at": at, "evidence": round(self.test.log_e, 4), **point_of(self.rows)})
        if self.alarm is None and self.test.alarm is not None:
            self.alarm = Alarm(self.id, self.kind, self.key, self.name, answer.reviewed_at, self.test.alarm)
            return self.alarm
        return None

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "kind": self.kind,
            "pair": self.key.model_dump(),
            "name": self.name,
            "fitted": _written(self.fitted),
            "round": self.round,
            "number": self.number,
            "test": self.test.state(),
            "rows": [[row.confidence, row.correct, row.answered] for row in self.rows],
            "history": self.history.as_json(),
            "first": _written(self.first),
            "last": _written(self.last),
            "alarm_at": _written(self.alarm.at if self.alarm else None),
            "acknowledged": self.acknowledged.as_json() if self.acknowledged else None,
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any], size: int) -> Self:
        """Make one of what `as_json` returned.

        Raises:
            KeyError, TypeError, ValueError: If it is no such state.
        """
        key, test = CalibrationKey(**state["pair"]), SequentialTest.restore(state["test"])
        kind: Kind = "guard" if state["kind"] == "guard" else "calibrator"
        if test.bets.name != _bets(kind, key).name:
            raise ValueError(f"a stream was tested by {test.bets.name}, which such streams are not any more")
        fitted = _read(state["fitted"])
        watch = cls(kind, key, str(state["name"]), fitted, int(state["round"]), int(state["number"]), test, size)
        watch.rows.extend(
            WindowRow(confidence, correct, answered, {}) for confidence, correct, answered in state["rows"]
        )
        watch.history = History.restore(state["history"])
        watch.first, watch.last = _read(state["first"]), _read(state["last"])
        at = _read(state["alarm_at"])
        if at is not None and test.alarm is not None:
            watch.alarm = Alarm(watch.id, kind, key, watch.name, at, test.alarm)
        if state["acknowledged"] is not None:
            watch.acknowledged = Acknowledgement.restore(state["acknowledged"])
        return watch


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _read(at: str | None) -> datetime | None:
    return None if at is None else datetime.fromisoformat(at)
