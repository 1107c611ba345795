"""Reviews in the records' database, each by itself, and what administrators struck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from prompt4trust.calibration import CalibrationKey
from services.gateway.records.audit.entry import AuditedEvent, Kind
from services.gateway.records.queries import key_of_row
from services.gateway.records.store import RecordStore
from services.gateway.records.tables import answers, feedback, strikes
from services.gateway.reviews.errors import ReplacedAnswerError, UnknownReviewError


@dataclass(frozen=True, slots=True)
class StrikeRow:
    """A strike: when, by whom and why."""

    at: datetime
    who: str
    note: str | None


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A review as it is kept, with what its answer was.

    Attributes:
        number: Its number; later ones have larger numbers.
        answer_id: The answer's id.
        at: When it came.
        who: Who said it, in their own words.
        key_name: Name of the API key that it came by, or None.
        right: Whether the answer was right, by this review.
        correct_option: Letter of the right option, where it was named.
        comment: A remark, or None.
        confidence: The answer's.
        decision: Whether it was given or left to a person.
        pair: What its confidence belongs to.
        answered_at: When it was given.
        strike: The strike that took it out of the count, or None.
    """

    number: int
    answer_id: str
    at: datetime
    who: str
    key_name: str | None
    right: bool
    correct_option: str | None
    comment: str | None
    confidence: float | None
    decision: str
    pair: CalibrationKey
    answered_at: datetime
    strike: StrikeRow | None


class ReviewStore:
    """Lists reviews and strikes them. All methods raise RecordsAwayError where the database cannot be reached.

    Args:
        store: The records.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    async def newest(self, limit: int, *, before: int | None = None, who: str | None = None) -> list[ReviewRow]:
        """List reviews, the newest first.

        Args:
            limit: Most that are given.
            before: Only those of a smaller number.
            who: Only those of whom this is the name.
        """
        struck = [strikes.c[name].label(f"strike_{name}") for name in ("at", "who", "note")]
        key = [answers.c[name] for name in CalibrationKey.model_fields]
        told = [answers.c.confidence, answers.c.decision, answers.c.at.label("answered_at")]
        query = select(feedback, *told, *key, *struck)
        query = query.join(answers, answers.c.id == feedback.c.answer_id)
        query = query.outerjoin(strikes, strikes.c.number == feedback.c.strike)
        if before is not None:
            query = query.where(feedback.c.number < before)
        if who is not None:
            query = query.where(feedback.c.who == who)
        async with self._store.reading(6) as connection:
            rows = (await connection.execute(query.order_by(feedback.c.number.desc()).limit(limit))).all()
        return [_review_of(row) for row in rows]

    async def strike(self, reviews: Sequence[int], who: str, note: str | None, *, restores: bool = False) -> None:
        """Take reviews out of the count, or put struck ones back; all or none.

        Of an answer, the first and the latest review that stand are then those that monitoring and refits go by. What
        is struck stays in the records, and so does who struck it.

        Raises:
            UnknownReviewError: If there is no such review.
            ReplacedAnswerError: If one is to be put back whose question was answered again while it was struck: it
                says nothing of the answer that stands there now.
        """
        wanted = sorted(set(reviews))
        at = datetime.now(UTC)
        said = {"at": at, "who": who, "note": note, "restores": restores, "reviews": wanted}

        def work(connection: Connection) -> None:
            known = select(feedback.c.number, feedback.c.answer_id, (feedback.c.at < answers.c.at).label("is_older"))
            known = known.join(answers, answers.c.id == feedback.c.answer_id).where(feedback.c.number.in_(wanted))
            # Held where the database holds rows, so that no answer is replaced meanwhile.
            rows = connection.execute(known.with_for_update()).all()
            if len(rows) < len(wanted):
                raise UnknownReviewError
            if restores and any(row.is_older for row in rows):
                raise ReplacedAnswerError
            made = connection.execute(insert(strikes).values(**said).returning(strikes.c.number)).scalar_one()
            number = None if restores else made
            connection.execute(update(feedback).where(feedback.c.number.in_(wanted)).values(strike=number))
            of_answers = sorted({row.answer_id for row in rows})
            flags = {"is_first": _ends(of_answers, func.min), "is_latest": _ends(of_answers, func.max)}
            connection.execute(update(feedback).where(feedback.c.answer_id.in_(of_answers)).values(**flags))
            # The note is not in it: whoever writes one may quote what has to be erased one day.
            body = {"strike": made, "who": who, "reviews": wanted}
            event = AuditedEvent(Kind.RESTORE if restores else Kind.STRIKE, body, at)
            self._store.audit.append(connection, [event])

        await self._store.write(work, reviewing=True)


def _ends(of_answers: Sequence[str], end: Any) -> Any:
    """Make the condition for the first, or the latest, review of each answer among those that stand."""
    other = feedback.alias()
    standing = select(end(other.c.number)).where(other.c.answer_id.in_(of_answers), other.c.strike.is_(None))
    return feedback.c.number.in_(standing.group_by(other.c.answer_id))


def _review_of(row: Any) -> ReviewRow:
    strike = None if row.strike is None else StrikeRow(row.strike_at, row.strike_who, row.strike_note)
    return ReviewRow(
        number=row.number,
        answer_id=row.answer_id,
        at=row.at,
        who=row.who,
        key_name=row.key_name,
        right=row.correct,
        correct_option=row.correct_option,
        comment=row.comment,
        confidence=row.confidence,
        decision=row.decision,
        pair=key_of_row(row),
        answered_at=row.answered_at,
        strike=strike,
    )
