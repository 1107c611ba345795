"""Replies about many records: exports of reviewed answers, and counts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel

from prompt4trust.calibration import CalibrationKey
from services.common.http.openapi.quantities import Count, Share
from services.gateway.records.entities import ExportedAnswer, KeyCount
from services.gateway.records.schemas import told_signals


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
        signals: Further numbers of the method; of a question that was left to a person none by option, as the largest
            would name the guess, and no words of the option.
        guess_signals: The numbers by option, such as `option:A`, and the words of the chosen one, such as `says:34`, of
            a question that was left to a person; else empty.
        decision: Given, or left to a person.
        max_risk: The promise, where one was made with a guarantee.
        letters: Letters of the options; empty for an open question.
        answer: Letter of the answer; None where the question was left to a person.
        guess: Letter of what the model said of a question that was left to a person; else None.
        correct_option: Letter of the right option, where the feedback named it.
        right: Whether the answer was right.
        groups: What the client told.
        picture: A mark that answers about the same picture file share, and that says nothing of it: 16 hexadecimal
            digits of a hash of the keyed hash in the record. Another after the secret of these has been changed.
    """

    id: str
    at: datetime
    reviewed_at: datetime
    who: str
    pair: CalibrationKey
    calibrator: str | None
    stated: Share | None
    confidence: Share | None
    signals: dict[str, float]
    guess_signals: dict[str, float]
    decision: Literal["answer", "defer"]
    max_risk: Share | None
    letters: str
    answer: str | None
    guess: str | None
    correct_option: str | None
    right: bool
    groups: dict[str, str]
    picture: str

    @classmethod
    def of(cls, exported: ExportedAnswer) -> Self:
        """Make the reply of an answer."""
        answer = exported.answer
        given = answer.decision == "answer"
        same = ("id", "at", "reviewed_at", "calibrator", "stated", "confidence", "decision", "max_risk")
        return cls(
            **{name: getattr(answer, name) for name in same},
            pair=answer.key,
            **told_signals(answer.signals, given=given),
            groups=dict(answer.groups),
            right=answer.correct,
            who=exported.who,
            letters=exported.letters,
            answer=exported.letter if given else None,
            guess=None if given else exported.letter,
            correct_option=exported.correct_option,
            picture=exported.picture,
        )


class ExportPage(BaseModel):
    """A page of reviewed answers.

    Attributes:
        answers: The answers, in the order of the latest word on each.
        next_cursor: Value of `cursor` that asks for the next page; None with the last.
    """

    answers: list[Exported]
    next_cursor: str | None


class CountReply(BaseModel):
    """Counts of answers to multiple choice, for one calibration key and decision.

    Attributes:
        pair: The calibration key.
        decision: Given, or left to a person.
        answers: Number of answers.
        reviewed: Number of reviewed ones among them.
    """

    pair: CalibrationKey
    decision: Literal["answer", "defer"]
    answers: Count
    reviewed: Count

    @classmethod
    def of(cls, count: KeyCount) -> Self:
        """Make the reply of a count."""
        figures = {name: getattr(count, name) for name in ("decision", "answers", "reviewed")}
        return cls.model_validate({"pair": count.key, **figures})


class CountsReply(BaseModel):
    """Counts of answers and reviews.

    Attributes:
        counts: The counts, an entry for each calibration key and decision.
    """

    counts: list[CountReply]
