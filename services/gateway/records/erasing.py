"""Erasing the content of one record on request; names, figures and hashes stay, and so does the audit log's chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, null, select, update

from services.gateway.records.audit.entry import AuditedEvent, Kind
from services.gateway.records.audit.events import ERASABLE
from services.gateway.records.errors import UnknownAnswerError
from services.gateway.records.store import RecordStore
from services.gateway.records.tables import answers, feedback, pictures, strikes

_EMPTY: Final[dict[str, Any]] = {name: null() for name in ERASABLE}


async def erase(store: RecordStore, answer_id: str, who: str, key_name: str | None) -> bool:
    """Erase question, options, guidance, explanation, kept reply, picture, comments and notes of one record.

    Ids, times, figures, the letters of options and answer, `groups`, who reviewed it, and keyed hashes stay: without
    them neither monitoring nor the audit log would hold.

    Args:
        store: The records.
        answer_id: The answer's id.
        who: Who erases it.
        key_name: Name of that one's key, or None.

    Returns:
        Whether there was anything to erase; a record that was erased before gets no second entry.

    Raises:
        UnknownAnswerError: If there is no such record.
        RecordsAwayError: If the database cannot be reached.
    """
    at = datetime.now(UTC)
    of_answer = feedback.c.answer_id == answer_id
    struck = select(feedback.c.strike).where(of_answer, feedback.c.strike.is_not(None))
    shown = select(pictures.c.answer_id).where(pictures.c.answer_id == answer_id)
    said = select(feedback.c.number).where(of_answer, feedback.c.comment.is_not(None))
    noted = select(strikes.c.number).where(strikes.c.number.in_(struck), strikes.c.note.is_not(None))

    def work(connection: Connection) -> bool:
        wanted = select(*(answers.c[name] for name in ERASABLE), answers.c.erased_at).where(answers.c.id == answer_id)
        row = connection.execute(wanted.with_for_update()).one_or_none()
        if row is None:
            raise UnknownAnswerError(answer_id)
        is_empty = all(getattr(row, name) is None for name in ERASABLE)
        others = [connection.execute(query.limit(1)).one_or_none() for query in (shown, said, noted)]
        if row.erased_at is not None and is_empty and others == [None, None, None]:
            return False
        connection.execute(update(strikes).where(strikes.c.number.in_(struck)).values(note=None))
        connection.execute(update(feedback).where(of_answer).values(comment=None))
        connection.execute(delete(pictures).where(pictures.c.answer_id == answer_id))
        connection.execute(update(answers).where(answers.c.id == answer_id).values(**_EMPTY, erased_at=at))
        body = {"answer": answer_id, "who": who, "key": key_name}
        store.audit.append(connection, [AuditedEvent(Kind.ERASE, body, at)])
        return True

    return await store.write(work, reviewing=True)
