"""Requests and replies about feedback and records."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from string import ascii_uppercase
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, StrictBool, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from prompt4trust.calibration import CalibrationKey
from services.common.http.question_fields import plain_text
from services.gateway.records.entities import ExportedAnswer, FeedbackRow, KeyCount, Review, StoredAnswer

MAX_WHO = 100
MAX_COMMENT = 2_000


def _letter(value: str) -> str:
    letter = value.strip().upper()
    if len(letter) != 1 or letter not in ascii_uppercase:
        raise PydanticCustomError("option_letter", "must be one of the options' letters")
    return letter


def _in_utc(value: datetime) -> datetime:
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time_range", "must be a time that a calendar has") from None


Who = Annotated[StrictStr, AfterValidator(lambda text: plain_text(text, what="who", limit=MAX_WHO))]
Comment = Annotated[StrictStr, AfterValidator(lambda text: plain_text(text, what="the comment", limit=MAX_COMMENT))]
Time = Annotated[datetime, AfterValidator(_in_utc)]
"""A point in time; one without a zone is taken for UTC."""


class FeedbackRequest(BaseModel):
    """A review of an answer, as a client sends it.

    Attributes:
        who: The person or system that says it, in at most 100 characters.
        correct_option: Letter of the right option.
        right: Whether the answer was right; this or correct_option.
        comment: At most 2 000 characters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: Who
    correct_option: Annotated[StrictStr, AfterValidator(_letter)] | None = None
    right: StrictBool | None = None
    comment: Comment | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.correct_option is None) == (self.right is None):
            raise PydanticCustomError("one_of_two", "give either correct_option or right, and not both")
        return self

    def said(self) -> Review:
        """Put the same in the store's terms."""
        return Review(self.who, self.comment, self.correct_option, self.right)


class FeedbackReply(BaseModel):
    """Feedback as it is kept; `right` is what it comes to for the answer that was given."""

    at: datetime
    who: str
    right: bool
    correct_option: str | None
    comment: str | None

    @classmethod
    def of(cls, row: FeedbackRow) -> Self:
        """Make the reply of a row."""
        return cls(at=row.at, who=row.who, right=row.correct, correct_option=row.correct_option, comment=row.comment)


class RecordedDecision(BaseModel):
    """Why an answer was given or left to a person, as far as it is kept; see DecisionBasis."""

    rule: str
    code: str
    guarantee: bool
    max_risk: float | None
    threshold: float | None
    guard: str | None


class RecordedTexts(BaseModel):
    """The words of question and answer, or SHA-256 of them; of options, that of their JSON object."""

    question: str | None
    options: Any
    guidance: str | None
    explanation: str | None


class RecordReply(BaseModel):
    """A record.

    Attributes:
        id: The answer's.
        at: When it was answered.
        request_id: Of the request.
        pair: What the confidence belongs to.
        calibrator: Name of the calibrator that was applied, or None.
        stated_confidence: As the method gave it.
        confidence: Calibrated where there is a calibrator, else as stated.
        interval: Of the calibrated confidence, where the calibrator gives one.
        signals: Further numbers of the method.
        atypicality: How unlike the checked questions this one was, as the reply had it.
        letters: Letters of the options; empty for an open question.
        answer: Letter of the answer; None for an open question, or without an answer.
        has_answer: Whether the model's reply held one.
        decision: Given, or left to a person.
        decision_basis: Why.
        groups: What the client told.
        degraded: What was done without.
        timing_ms: How long it took.
        image_sha256: Of the picture as the model got it, a PNG.
        sha256: Of the texts.
        texts: The texts themselves; None where they are not kept.
        has_picture: Whether the picture is kept.
        feedback: What was said of it, the oldest first.
    """

    id: str
    at: datetime
    request_id: str | None
    pair: CalibrationKey
    calibrator: str | None
    stated_confidence: float | None
    confidence: float | None
    interval: tuple[float, float] | None
    signals: dict[str, float]
    atypicality: Any
    letters: str
    answer: str | None
    has_answer: bool
    decision: Literal["answer", "defer"]
    decision_basis: RecordedDecision
    groups: dict[str, str]
    degraded: list[str]
    timing_ms: dict[str, float]
    image_sha256: str
    sha256: RecordedTexts
    texts: RecordedTexts | None
    has_picture: bool
    feedback: list[FeedbackReply]

    @classmethod
    def of(cls, stored: StoredAnswer) -> Self:
        """Make the reply of a record."""
        row = stored.row
        interval = None if row["interval_low"] is None else (row["interval_low"], row["interval_high"])
        names = ("question", "options", "guidance", "explanation")
        kept = row["question"] is not None
        same = ("id", "at", "request_id", "calibrator", "confidence", "signals", "atypicality", "letters", "decision")
        return cls(
            **{name: row[name] for name in (*same, "groups", "degraded", "image_sha256")},
            pair=CalibrationKey(**{name: row[name] for name in CalibrationKey.model_fields}),
            stated_confidence=row["stated"],
            interval=interval,
            answer=row["letter"],
            has_answer=row["has_verdict"],
            decision_basis=RecordedDecision(**{name: row[name] for name in RecordedDecision.model_fields}),
            timing_ms={name: row[f"{name}_ms"] for name in ("policy", "downstream", "total")},
            sha256=RecordedTexts(**{name: row[f"{name}_sha256"] for name in names}),
            texts=RecordedTexts(**{name: row[name] for name in names}) if kept else None,
            has_picture=stored.has_picture,
            feedback=[FeedbackReply.of(each) for each in stored.feedback],
        )


class Exported(BaseModel):
    """A reviewed answer by the latest word on it.

    Attributes:
        id: The answer's.
        at: When it was answered.
        reviewed_at: When the latest word came.
        who: Who said it.
        pair: What the confidence belongs to.
        calibrator: Name of the calibrator that was applied, or None.
        stated: The confidence as the method gave it; None where the model's reply held no answer.
        confidence: Calibrated where there is a calibrator, else as stated.
        signals: Further numbers of the method.
        decision: Given, or left to a person.
        max_risk: The promise, where one was made with a guarantee.
        letters: Letters of the options; empty for an open question.
        answer: Letter of the answer.
        correct_option: Letter of the right option, where the feedback named it.
        right: Whether the answer was right.
        groups: What the client told.
    """

    id: str
    at: datetime
    reviewed_at: datetime
    who: str
    pair: CalibrationKey
    calibrator: str | None
    stated: float | None
    confidence: float | None
    signals: dict[str, float]
    decision: Literal["answer", "defer"]
    max_risk: float | None
    letters: str
    answer: str | None
    correct_option: str | None
    right: bool
    groups: dict[str, str]

    @classmethod
    def of(cls, exported: ExportedAnswer) -> Self:
        """Make the reply of an answer."""
        answer = exported.answer
        same = ("id", "at", "reviewed_at", "calibrator", "stated", "confidence", "decision", "max_risk")
        return cls(
            **{name: getattr(answer, name) for name in same},
            pair=answer.key,
            signals={name: value for name, value in answer.signals.items() if math.isfinite(value)},
            groups=dict(answer.groups),
            right=answer.correct,
            who=exported.who,
            letters=exported.letters,
            answer=exported.letter,
            correct_option=exported.correct_option,
        )


class ExportPage(BaseModel):
    """Some reviewed answers; `next_cursor` asks for the next ones, and is None with the last."""

    answers: list[Exported]
    next_cursor: str | None


class CountReply(BaseModel):
    """Numbers of answers to multiple choice, and of reviewed ones among them, for one calibration key and decision."""

    pair: CalibrationKey
    decision: Literal["answer", "defer"]
    answers: int
    reviewed: int

    @classmethod
    def of(cls, count: KeyCount) -> Self:
        """Make the reply of a count."""
        figures = {name: getattr(count, name) for name in ("decision", "answers", "reviewed")}
        return cls.model_validate({"pair": count.key, **figures})


class CountsReply(BaseModel):
    """The counts of all calibration keys."""

    counts: list[CountReply]
