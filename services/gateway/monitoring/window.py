"""The newest reviewed answers, and their days: what live figures are computed from."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics import expected_calibration_error
from prompt4trust.monitoring import LiveFigures, live_figures
from services.gateway.records.reviewed_answer import ReviewedAnswer

MOST_VALUES = 20
"""Values of one group that have figures of their own; the rarer ones are together under `OTHER`."""
OTHER = "other"
PAIR = "pair"
ALL = "all"
_FEW = 30
_DAYS = 60
_BINS = 10


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A reviewed answer, as far as figures need it.

    Attributes:
        confidence: Calibrated; None where it was not.
        correct: Whether it was right.
        answered: Whether it was given, not left to a person.
        labels: The pair's key, and what the client told, by the names that are looked at.
    """

    confidence: float | None
    correct: bool
    answered: bool
    labels: Mapping[str, str]

    @classmethod
    def of(cls, answer: ReviewedAnswer, groups: Iterable[str]) -> Self:
        """Take it from an answer."""
        labels = {PAIR: answer.key.line, **{name: answer.groups[name] for name in groups if name in answer.groups}}
        calibrated = answer.confidence if answer.calibrator is not None else None
        return cls(calibrated, answer.correct, answer.decision == "answer", labels)


def figures_of(rows: Collection[WindowRow], resamples: int = 200) -> LiveFigures:
    """Compute the figures of rows."""
    confidence, correct, answered = arrays(rows)
    return live_figures(confidence, correct, answered, resamples=resamples)


def arrays(rows: Collection[WindowRow]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Split rows into confidences (NaN where there is none), outcomes and decisions."""
    confidence = np.array([np.nan if row.confidence is None else row.confidence for row in rows], dtype=np.float64)
    correct = np.array([row.correct for row in rows], dtype=np.bool_)
    return confidence, correct, np.array([row.answered for row in rows], dtype=np.bool_)


def point_of(rows: Collection[WindowRow]) -> dict[str, float | None]:
    """Compute what a history notes of a window; None where there are too few rows to say."""
    confidence, correct, answered = arrays(rows)
    known = ~np.isnan(confidence)
    errors = ~correct[answered]
    return {
        "ece": _rounded(expected_calibration_error(confidence[known], correct[known])) if known.sum() >= _FEW else None,
        "brier": _rounded(np.square(confidence[known] - correct[known]).mean()) if known.sum() >= _FEW else None,
        "coverage": _rounded(answered.mean()) if len(rows) >= _FEW else None,
        "selective_risk": _rounded(errors.mean()) if len(errors) >= _FEW else None,
    }


def slices(rows: Collection[WindowRow], names: Iterable[str]) -> Iterator[tuple[str, str, list[WindowRow]]]:
    """Divide rows by what is known of them.

    Args:
        rows: The rows.
        names: Of the labels, in order.

    Yields:
        A label's name, one of its values and the rows with it: for each name the most frequent values, and `OTHER` for
        the rest of those that have the label.
    """
    for name in names:
        counted = Counter(row.labels[name] for row in rows if name in row.labels)
        kept = [value for value, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST_VALUES]]
        # What is called as the rest is called belongs to the rest.
        kept = [value for value in kept if value != OTHER]
        for value in kept:
            yield name, value, [row for row in rows if row.labels.get(name) == value]
        if rest := [row for row in rows if name in row.labels and row.labels[name] not in kept]:
            yield name, OTHER, rest


@dataclass(slots=True)
class Day:
    """Sums over the reviewed answers of one day; the lists have a place for each tenth of confidence."""

    reviewed: int
    answered: int
    errors: int
    squares: float
    n: list[int]
    stated: list[float]
    right: list[int]

    @classmethod
    def empty(cls) -> Self:
        """Begin a day."""
        return cls(0, 0, 0, 0.0, [0] * _BINS, [0.0] * _BINS, [0] * _BINS)

    def add(self, row: WindowRow) -> None:
        """Count a row."""
        self.reviewed += 1
        self.answered += row.answered
        self.errors += row.answered and not row.correct
        if row.confidence is not None:
            place = max(0, int(np.ceil(row.confidence * _BINS)) - 1)  # bins closed above, as those of the ECE
            self.n[place] += 1
            self.stated[place] += row.confidence
            self.right[place] += row.correct
            self.squares += (row.confidence - row.correct) ** 2

    def figures(self) -> dict[str, float | int | None]:
        """Compute the day's figures; None where they are undefined."""
        calibrated = sum(self.n)
        gaps = sum(abs(stated - right) for stated, right in zip(self.stated, self.right, strict=True))
        return {
            "reviewed": self.reviewed,
            "calibrated": calibrated,
            "ece": _rounded(gaps / calibrated) if calibrated else None,
            "brier": _rounded(self.squares / calibrated) if calibrated else None,
            "coverage": _rounded(self.answered / self.reviewed) if self.reviewed else None,
            "selective_risk": _rounded(self.errors / self.answered) if self.answered else None,
        }


class Window:
    """The newest rows of all streams, and sums over the newest days.

    Args:
        size: How many rows.
        groups: Names of what clients tell that is looked at.
    """

    def __init__(self, size: int, groups: tuple[str, ...]) -> None:
        self.rows: deque[WindowRow] = deque(maxlen=size)
        self.groups = groups
        self.days: dict[str, Day] = {}

    def add(self, answer: ReviewedAnswer) -> WindowRow:
        """Count an answer; its day is that on which it was answered (UTC)."""
        row = WindowRow.of(answer, self.groups)
        self.rows.append(row)
        self.days.setdefault(answer.at.date().isoformat(), Day.empty()).add(row)
        if len(self.days) > _DAYS:
            del self.days[min(self.days)]
        return row

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        rows = [[row.confidence, row.correct, row.answered, dict(row.labels)] for row in self.rows]
        return {"rows": rows, "days": {date: asdict(day) for date, day in self.days.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `as_json` returned."""
        self.rows.extend(WindowRow(*each) for each in state["rows"])
        self.days = {date: Day(**day) for date, day in state["days"].items()}


def _rounded(value: Any) -> float:
    return round(float(value), 6)
