"""Parts of queries, and what rows become."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Text, and_, cast, exists, literal_column, or_, select

from prompt4trust.calibration import CalibrationKey
from services.gateway.records.connection.hash_key import HashKey
from services.gateway.records.entities import ExportedAnswer, FeedbackRow, Review, Slice
from services.gateway.records.errors import FeedbackRefusedError
from services.gateway.records.record import IDENTITY
from services.gateway.records.reviewed_answer import ReviewedAnswer
from services.gateway.records.tables import answers, feedback

Row: TypeAlias = Any
"""A row as SQLAlchemy gives it: its columns are attributes."""

_PICTURE_DIGITS = 16
"""Hexadecimal digits of the mark of a picture in exports: two of a million pictures share one once in 37 million."""

REVIEWED = select(
    *(answers.c[name] for name in (
        *("id", "at", *CalibrationKey.model_fields, "calibrator", "stated", "confidence"),
        *("signals", "decision", "guarantee", "max_risk", "guard", "groups", "letters", "letter"),
        *("image_sha256", "hash_key"),
    )),
    *(feedback.c.at.label("reviewed_at"), feedback.c.who, feedback.c.correct_option, feedback.c.correct),
).join(feedback, feedback.c.answer_id == answers.c.id)  # fmt: skip
"""Answers with their feedback: whoever uses it says which of several."""

# By name: SQLAlchemy does not see that an INSERT's table can be referred to, and would look through all answers.
IS_REVIEWED = exists().where(feedback.c.answer_id == literal_column("answers.id"), feedback.c.strike.is_(None))
"""Whether somebody has spoken of an answer, by a word that stands."""


def later(point: tuple[datetime, str]) -> Any:
    """Make the condition for what comes after a point of a stream."""
    at, answer_id = point
    return or_(feedback.c.at > at, and_(feedback.c.at == at, answers.c.id > answer_id))


def judge(answer: Row, said: Review) -> bool:
    """Judge an answer by feedback on it; raise FeedbackRefusedError where the two do not fit."""
    if said.correct_option is not None:
        if not answer.letters:
            raise FeedbackRefusedError("The question had no options: say right or wrong instead.")
        if said.correct_option not in answer.letters:
            raise FeedbackRefusedError(f"The question's options were {', '.join(answer.letters)}.")
        return bool(said.correct_option == answer.letter)
    if said.right and not answer.has_verdict:
        raise FeedbackRefusedError("The reply held no answer that could be right.")
    return bool(said.right)


def key_of_row(row: Row) -> CalibrationKey:
    """Read what an answer's confidence belongs to."""
    return CalibrationKey(**{name: getattr(row, name) for name in CalibrationKey.model_fields})


def feedback_of(row: Row) -> FeedbackRow:
    """Read feedback."""
    return FeedbackRow(row.at, row.who, row.comment, row.correct_option, row.correct)


def reviewed_of(row: Row) -> ReviewedAnswer:
    """Read an answer with the feedback beside it."""
    return ReviewedAnswer(
        id=row.id,
        at=row.at,
        reviewed_at=row.reviewed_at,
        key=key_of_row(row),
        calibrator=row.calibrator,
        stated=row.stated,
        confidence=row.confidence,
        signals=row.signals,
        decision=row.decision,
        max_risk=row.max_risk if row.guarantee else None,
        correct=row.correct,
        groups=row.groups,
        guard=row.guard if row.guarantee else None,
    )


def exported_of(row: Row, key: HashKey) -> ExportedAnswer:
    """Read a reviewed answer with what a refit wants to know beside.

    Args:
        row: From `REVIEWED`.
        key: That of the records' hashes.
    """
    # Of a version before, whose hashes are plain until they are keyed: by then it has to be the same picture still.
    kept = key.of(row.image_sha256) if row.hash_key is None else row.image_sha256
    return ExportedAnswer(
        answer=reviewed_of(row),
        who=row.who,
        letters=row.letters,
        letter=row.letter,
        correct_option=row.correct_option,
        picture=hashlib.sha256(f"exported picture {kept}".encode()).hexdigest()[:_PICTURE_DIGITS],
    )


def conditions(wanted: Slice) -> list[Any]:
    """Make the conditions of a slice."""
    named = ("downstream", "policy", "estimator", "answer_template")
    given = [(name, getattr(wanted, name)) for name in named]
    found = [answers.c[name] == value for name, value in given if value is not None]
    if wanted.since is not None:
        found.append(answers.c.at >= wanted.since)
    if wanted.until is not None:
        found.append(answers.c.at < wanted.until)
    return found


def adding(add: Any) -> Any:
    """Make the statement that adds answers, and replaces those to the same question that nobody has spoken of."""
    again = {column.name: add.excluded[column.name] for column in answers.columns if not column.primary_key}
    # As text: PostgreSQL does not compare JSON.
    same = [cast(answers.c[name], Text) == cast(add.excluded[name], Text) for name in (*IDENTITY, "hash_key")]
    return add.on_conflict_do_update(index_elements=[answers.c.id], set_=again, where=and_(~IS_REVIEWED, *same))
