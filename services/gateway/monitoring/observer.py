"""The stream of reviewed answers, folded: the same stream gives the same state, on every gateway that reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

import structlog

from prompt4trust.calibration import CalibrationKey
from services.gateway.monitoring.history import History
from services.gateway.monitoring.watched_stream import (
    Acknowledgement,
    Alarm,
    Fit,
    Kind,
    StreamKey,
    WatchedStream,
    begin_test,
    claims,
)
from services.gateway.monitoring.window import Window, point_of
from services.gateway.records.reviewed_answer import ReviewedAnswer

_FORMAT = 1
_MOST_WATCHES = 60
_MOST_FITS = 20
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Watching:
    """Settings of the watch over streams.

    Attributes:
        alpha: Probability with which this gateway may ever raise a false alarm, over all its streams.
        tolerance: Distance between confidence and share of right answers that is overlooked.
        window: How many of the newest reviewed answers figures are of.
        groups: Names of what clients tell that figures are given by.
    """

    alpha: float = 0.05
    tolerance: float = 0.02
    window: int = 500
    groups: tuple[str, ...] = ("modality", "family")

    def share(self, number: int) -> float:
        """Compute the share of alpha that the stream of a number (from 1) gets; over all numbers they sum to alpha."""
        return self.alpha / (number * (number + 1))


class Observer:
    """Takes in reviewed answers in their order, and what administrators said of alarms.

    Args:
        watching: How.
    """

    def __init__(self, watching: Watching) -> None:
        self.watching = watching
        self.window = Window(watching.window, watching.groups)
        self.history = History()
        self.seen = 0
        self.position: tuple[datetime, str] | None = None
        self._began = 0
        self._watches: dict[StreamKey, list[WatchedStream]] = {}
        self._fits: dict[tuple[Kind, str, str], list[datetime]] = {}
        self._waiting: list[Acknowledgement] = []
        self._told: set[tuple[str, str]] = set()

    def anew(self) -> Self:
        """Make an observer that has seen nothing, and knows of the calibrators and guards that this one knows of."""
        fresh = type(self)(self.watching)
        fresh._fits = {key: list(known) for key, known in self._fits.items()}
        return fresh

    @property
    def watches(self) -> list[WatchedStream]:
        """All streams, in the order in which they began."""
        return sorted((each for rounds in self._watches.values() for each in rounds), key=lambda each: each.number)

    def alarms(self) -> dict[StreamKey, Alarm]:
        """List the alarms that nobody has acknowledged, by the key of their watch."""
        newest = ((key, rounds[-1]) for key, rounds in self._watches.items() if rounds)
        return {key: each.alarm for key, each in newest if each.alarm is not None and each.acknowledged is None}

    def learn(self, kind: Kind, key: CalibrationKey, fit: Fit) -> None:
        """Learn of a calibrator or guard: what it promised of answers since then is a stream of its own."""
        known = self._fits.setdefault((kind, key.line, fit.name), [])
        if fit.fitted not in known:
            known.append(fit.fitted)
            known.sort()
            del known[:-_MOST_FITS]

    def acknowledge(self, words: Iterable[Acknowledgement]) -> bool:
        """Hear of acknowledgements; those that are known already are passed over.

        Each takes effect before the first answer that was reviewed later, or when `settle` is called.

        Returns:
            Whether there was a new one.
        """
        before = len(self._told)
        for word in words:
            if (word.alarm, word.at.isoformat()) not in self._told:
                self._told.add((word.alarm, word.at.isoformat()))
                self._waiting.append(word)
        self._waiting.sort(key=lambda word: word.at)
        return len(self._told) > before

    def settle(self) -> None:
        """Let all acknowledgements take effect: every answer that came before them has been seen."""
        while self._waiting:
            self._close(self._waiting.pop(0))

    def see(self, answers: Sequence[ReviewedAnswer]) -> list[Alarm]:
        """Take in answers that are later in the stream than all before.

        Returns:
            The alarms that they raised.
        """
        raised = []
        for answer in answers:
            while self._waiting and self._waiting[0].at < answer.reviewed_at:
                self._close(self._waiting.pop(0))
            raised += self._see(answer)
        return raised

    def _see(self, answer: ReviewedAnswer) -> list[Alarm]:
        self.seen += 1
        self.position = (answer.reviewed_at, answer.id)
        row = self.window.add(answer)
        if self.history.is_due(self.seen):
            at = answer.reviewed_at.isoformat()
            self.history.add({"n": self.seen, "at": at, **point_of(self.window.rows)})
        raised = (self._watch(kind, answer, name).see(answer, row, claim) for kind, name, claim in claims(answer))
        return [alarm for alarm in raised if alarm is not None]

    def _watch(self, kind: Kind, answer: ReviewedAnswer, name: str) -> WatchedStream:
        key = answer.key
        # Of those that had this name, the newest that was there when the answer was given.
        earlier = [fitted for fitted in self._fits.get((kind, key.line, name), ()) if fitted <= answer.at]
        fitted = earlier[-1] if earlier else None
        rounds = self._watches.setdefault((kind, key.line, name, fitted.isoformat() if fitted else ""), [])
        if not rounds or rounds[-1].acknowledged is not None:
            self._began += 1
            test = begin_test(kind, key, self.watching.share(self._began), self.watching.tolerance)
            after = rounds[-1].round + 1 if rounds else 0
            rounds.append(WatchedStream(kind, key, name, fitted, after, self._began, test, self.watching.window))
            self._forget()
        return rounds[-1]

    def _forget(self) -> None:
        # One that is seen again begins anew, with a later number: its share of alpha is spent in any case.
        while len(watches := self.watches) > _MOST_WATCHES:
            oldest = min(watches[:-1], key=lambda each: (each.last is not None, each.last))
            self._watches[oldest.stream_key].remove(oldest)
            if not self._watches[oldest.stream_key]:
                del self._watches[oldest.stream_key]

    def _close(self, word: Acknowledgement) -> None:
        for watch in self.watches:
            if watch.id == word.alarm and watch.alarm is not None and watch.acknowledged is None:
                watch.acknowledged = word
                return
        _log.warning("an acknowledgement of an alarm that is not known", alarm=word.alarm)

    def state(self) -> dict[str, Any]:
        """Return everything that is known, as JSON values."""
        return {
            "format": _FORMAT,
            "watching": asdict(self.watching),
            "seen": self.seen,
            "began": self._began,
            "position": None if self.position is None else [self.position[0].isoformat(), self.position[1]],
            "window": self.window.as_json(),
            "history": self.history.as_json(),
            "watches": [watch.as_json() for watch in self.watches],
            "waiting": [word.as_json() for word in self._waiting],
            "told": sorted(self._told),
            "fits": [[*key, [fitted.isoformat() for fitted in known]] for key, known in self._fits.items()],
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any], watching: Watching) -> Self:
        """Make an observer that goes on where another one was.

        Raises:
            KeyError, TypeError, ValueError: If it is no such state, or one of other settings.
        """
        if state["format"] != _FORMAT:
            raise ValueError(f"states of format {state['format']} are not read")
        if {**state["watching"], "groups": tuple(state["watching"]["groups"])} != asdict(watching):
            raise ValueError("the state is of other settings")
        observer = cls(watching)
        observer.seen, observer._began = int(state["seen"]), int(state["began"])
        if state["position"] is not None:
            observer.position = (datetime.fromisoformat(state["position"][0]), str(state["position"][1]))
        observer.window.restore(state["window"])
        observer.history = History.restore(state["history"])
        for each in state["watches"]:
            watch = WatchedStream.restore(each, watching.window)
            observer._watches.setdefault(watch.stream_key, []).append(watch)
        observer._waiting = [Acknowledgement.restore(each) for each in state["waiting"]]
        observer._told = {(str(alarm), str(at)) for alarm, at in state["told"]}
        for kind, key, name, known in state["fits"]:
            observer._fits[kind, key, name] = [datetime.fromisoformat(fitted) for fitted in known]
        return observer
