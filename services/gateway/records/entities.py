"""Values that go into the records and come out of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prompt4trust.calibration import CalibrationKey
from services.gateway.records.reviewed_answer import ReviewedAnswer


@dataclass(frozen=True, slots=True)
class Review:
    """A review of an answer: exactly one of `correct_option` and `right` is given, and the name of its API key."""

    who: str
    comment: str | None = None
    correct_option: str | None = None
    right: bool | None = None
    key_name: str | None = None


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """Feedback as it is kept."""

    at: datetime
    who: str
    comment: str | None
    correct_option: str | None
    correct: bool


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A record with its feedback, the oldest first."""

    row: Mapping[str, Any]
    has_picture: bool
    feedback: tuple[FeedbackRow, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Which answers are meant: those for which all that is given holds.

    Attributes:
        downstream: Name of the downstream model.
        policy: Policy version.
        estimator: Name of the method.
        answer_template: The wording.
        since: Answered at this time or later.
        until: Answered before this time.
    """

    downstream: str | None = None
    policy: str | None = None
    estimator: str | None = None
    answer_template: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExportedAnswer:
    """A reviewed answer by the latest word on it, with what a refit wants to know beside.

    Attributes:
        answer: The answer; `reviewed_at` and `correct` are those of the latest feedback.
        who: Who gave that.
        letters: Letters of the options; empty for an open question.
        letter: The answer's.
        correct_option: The right option, where the feedback named it.
        picture: A mark that answers about the same picture file share; without the secret of the records' hashes nobody
            finds the file by it.
    """

    answer: ReviewedAnswer
    who: str
    letters: str
    letter: str | None
    correct_option: str | None
    picture: str


@dataclass(frozen=True, slots=True)
class KeyCount:
    """Numbers of answers to multiple choice, and of reviewed ones among them, for one calibration key and decision."""

    key: CalibrationKey
    decision: str
    answers: int
    reviewed: int
