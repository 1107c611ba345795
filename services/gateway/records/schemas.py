"""Requests and replies about feedback and records."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    StrictStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from prompt4trust.calibration import CalibrationKey
from prompt4trust.estimators.option_signals import without_options
from services.common.http.openapi.quantities import Share
from services.common.http.question_fields import OPTION_LETTER, plain_text, read_letter
from services.gateway.picture_schemas import DicomSeen
from services.gateway.records.entities import FeedbackRow, Review, StoredAnswer

_TIME_OF_DAY = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_TIME = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([Tt ]{_TIME_OF_DAY}([Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})?)?$"
MAX_WHO = 100
MAX_COMMENT = 2_000


def _letter(value: str) -> str:
    letter = read_letter(value)
    if letter is None:
        raise PydanticCustomError("option_letter", "must be one of the options' letters")
    return letter


def _written_out(value: Any) -> Any:
    # Numbers are times to pydantic, too: seconds since 1970, or milliseconds where they are large.
    if isinstance(value, str) and not re.fullmatch(_TIME, value):
        raise PydanticCustomError("time_form", "must be written like 2026-01-31T12:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time_range", "must be a time that a calendar has") from None


Who = Annotated[
    StrictStr,
    AfterValidator(lambda text: plain_text(text, what="who", limit=MAX_WHO)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_WHO}),
]
Comment = Annotated[
    StrictStr,
    AfterValidator(lambda text: plain_text(text, what="the comment", limit=MAX_COMMENT)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_COMMENT}),
]
Letter = Annotated[StrictStr, AfterValidator(_letter), WithJsonSchema({"type": "string", "pattern": OPTION_LETTER})]
Time = Annotated[
    datetime,
    BeforeValidator(_written_out),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "pattern": _TIME}),
]
"""A point in time as RFC 3339 writes it; without a zone it is taken for UTC, without a time of day for midnight."""


_ONE_OF_TWO: Any = [
    {"required": [said], "properties": {said: {"type": form}, other: {"type": "null"}}}
    for said, form, other in (("correct_option", "string", "right"), ("right", "boolean", "correct_option"))
]


class FeedbackRequest(BaseModel):
    """A review of an answer, as a client sends it.

    Attributes:
        who: The person or system that says it, in at most 100 characters.
        correct_option: Letter of the right option.
        right: Whether the answer was right; this or correct_option.
        comment: At most 2 000 characters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"anyOf": _ONE_OF_TWO})

    who: Who
    correct_option: Letter | None = None
    right: StrictBool | None = None
    comment: Comment | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.correct_option is None) == (self.right is None):
            raise PydanticCustomError("one_of_two", "give either correct_option or right, and not both")
        return self

    def said(self, key_name: str | None = None) -> Review:
        """Put the same in the store's terms, with the name of the key that it came by."""
        return Review(self.who, self.comment, self.correct_option, self.right, key_name)


class FeedbackReply(BaseModel):
    """Feedback as it is kept.

    Attributes:
        at: When it came.
        who: The person or system that gave it.
        right: Whether the answer that was given was right, by this feedback.
        correct_option: Letter of the right option, where it was named.
        comment: A remark, or None.
    """

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
    """Why an answer was given or left to a person, as far as it is kept; see DecisionBasis.

    Attributes:
        rule: The rule that decided.
        code: The outcome as a stable word.
        guarantee: Whether the rule bounds the share of errors with a proof.
        max_risk: Largest accepted share of wrong answers among those given, or None.
        threshold: Least confidence at which an answer was given; None where there was none.
        guard: Name of the artifact that the guarantee rests on, or None.
    """

    rule: str
    code: str
    guarantee: bool
    max_risk: Share | None
    threshold: Share | None
    guard: str | None


class RecordedTexts(BaseModel):
    """The words of question and answer.

    Attributes:
        question: The question.
        options: The options: an object letter -> text.
        guidance: The guidance prompt.
        explanation: The downstream model's text; None where the question was left to a person.
        guess_explanation: The same of a question that was left to a person; else None.
    """

    question: str | None
    options: Any
    guidance: str | None
    explanation: str | None
    guess_explanation: str | None


class RecordedHashes(BaseModel):
    """Hashes of picture and texts.

    Attributes:
        key: Name of the key that they were made with: HMAC-SHA256 of the SHA-256; None for SHA-256 alone, as versions
            before this one stored it.
        image: Of the picture as the model got it.
        question: Of the text.
        options: Of their JSON object.
        guidance: Of the text, where there was guidance.
        explanation: Of the model's reply.
    """

    key: str | None
    image: str
    question: str
    options: str
    guidance: str | None
    explanation: str


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
        signals: Further numbers of the method; of a question that was left to a person none by option, as the largest
            would name the guess, and no words of the option.
        guess_signals: The numbers by option, such as `option:A`, and the words of the chosen one, such as `says:34`, of
            a question that was left to a person; else empty.
        atypicality: How unlike the checked questions this one was, as the reply had it.
        letters: Letters of the options; empty for an open question.
        answer: Letter of the answer; None for an open question, or where the question was left to a person.
        guess: Letter of what the model said of a question that was left to a person, as little to be relied on as the
            reply's; None for an open question.
        has_answer: Whether the model's reply held an answer, given or not.
        decision: Given, or left to a person.
        decision_basis: Why.
        groups: What the client told.
        degraded: What was done without.
        timing_ms: How long it took.
        hashes: Of picture and texts.
        texts: The texts themselves; None where they are not kept.
        has_picture: Whether the picture is kept.
        erased_at: When texts, comments and picture were erased on request, or None.
        source: The DICOM instance that the picture is of, or None.
        feedback: What was said of it, the oldest first; None where only administrators may know.
    """

    id: str
    at: datetime
    request_id: str | None
    pair: CalibrationKey
    calibrator: str | None
    stated_confidence: Share | None
    confidence: Share | None
    interval: tuple[Share, Share] | None
    signals: dict[str, float]
    guess_signals: dict[str, float]
    atypicality: Any
    letters: str
    answer: str | None
    guess: str | None
    has_answer: bool
    decision: Literal["answer", "defer"]
    decision_basis: RecordedDecision
    groups: dict[str, str]
    degraded: list[str]
    timing_ms: dict[str, float]
    hashes: RecordedHashes
    texts: RecordedTexts | None
    has_picture: bool
    erased_at: datetime | None
    source: DicomSeen | None = None
    feedback: list[FeedbackReply] | None

    @classmethod
    def of(cls, stored: StoredAnswer, *, shows_feedback: bool = True) -> Self:
        """Make the reply of a record, with what was said of it or without."""
        row = stored.row
        interval = None if row["interval_low"] is None else (row["interval_low"], row["interval_high"])
        names = ("question", "options", "guidance", "explanation")
        kept, given = row["question"] is not None, row["decision"] == "answer"
        same = ("id", "at", "request_id", "calibrator", "confidence", "atypicality", "letters", "decision")
        return cls(
            **{name: row[name] for name in (*same, "groups", "degraded")},
            **told_signals(row["signals"], given=given),
            pair=CalibrationKey(**{name: row[name] for name in CalibrationKey.model_fields}),
            stated_confidence=row["stated"],
            interval=interval,
            answer=row["letter"] if given else None,
            guess=None if given else row["letter"],
            has_answer=row["has_verdict"],
            decision_basis=RecordedDecision(**{name: row[name] for name in RecordedDecision.model_fields}),
            timing_ms={name: row[f"{name}_ms"] for name in ("policy", "downstream", "total")},
            hashes=RecordedHashes(key=row["hash_key"], **{name: row[f"{name}_sha256"] for name in ("image", *names)}),
            texts=_texts(row, given=given) if kept else None,
            has_picture=stored.has_picture,
            erased_at=row["erased_at"],
            source=row["source"],
            feedback=[FeedbackReply.of(each) for each in stored.feedback] if shows_feedback else None,
        )


def told_signals(signals: Mapping[str, float], *, given: bool) -> dict[str, dict[str, float]]:
    """Divide a method's numbers into `signals` and `guess_signals`, without those that JSON cannot write."""
    finite = {name: value for name, value in signals.items() if math.isfinite(value)}
    if given:
        return {"signals": finite, "guess_signals": {}}
    signals = without_options(finite)
    return {"signals": signals, "guess_signals": {name: finite[name] for name in finite if name not in signals}}


def _texts(row: Mapping[str, Any], *, given: bool) -> RecordedTexts:
    said = row["explanation"]
    return RecordedTexts(
        **{name: row[name] for name in ("question", "options", "guidance")},
        explanation=said if given else None,
        guess_explanation=None if given else said,
    )
