"""Answers and what people said of them, in a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from prompt4trust.calibration import CalibrationKey
from services.gateway.records.audit.chain import Head
from services.gateway.records.audit.entry import AuditedEvent, Kind
from services.gateway.records.audit.events import answer_event, review_event
from services.gateway.records.audit.log import read_head
from services.gateway.records.connection.database import Database
from services.gateway.records.connection.hash_key import HASHES
from services.gateway.records.connection.prepared_database import PreparedDatabase
from services.gateway.records.entities import ExportedAnswer, FeedbackRow, KeyCount, Review, Slice, StoredAnswer
from services.gateway.records.errors import (
    FeedbackFullError,
    OtherQuestionError,
    ReviewedError,
    UnknownAnswerError,
)
from services.gateway.records.queries import (
    IS_REVIEWED,
    REVIEWED,
    Row,
    adding,
    conditions,
    exported_of,
    feedback_of,
    judge,
    key_of_row,
    later,
    reviewed_of,
)
from services.gateway.records.record import Record
from services.gateway.records.reviewed_answer import ReviewedAnswer
from services.gateway.records.tables import answers, feedback, pictures

MAX_FEEDBACK = 100
"""Most feedback on one answer, struck reviews aside: more is no second thought but a mistake, or a flood."""

_WITH_STRUCK = 10
"""How many times that there may be with struck ones: these are kept, and have to end somewhere too."""

_KEY_HASHES = (
    update(answers)
    .where(answers.c.id == bindparam("new_id"), answers.c.hash_key.is_(None))
    .values({name: bindparam(f"new_{name}") for name in (*HASHES, "hash_key")})
)


class RecordStore(PreparedDatabase):
    """Answers and feedback in SQLite or PostgreSQL. All methods raise RecordsAwayError where that cannot be reached.

    Records come with plain hashes and are stored with keyed ones (see `hash_key`).

    Args:
        database: Where they are kept.
        hash_secret: The secret of their hashes; None for that in the file beside SQLite's.
        deadline_s: Longest time for one operation; listings and counts may take six times that.
        clock: Gives the present time, with its zone.
        max_feedback: Most feedback on one answer, struck reviews aside; with them ten times that.
        audit_secret: The secret of the audit log; None for one that is derived from that of the hashes.
    """

    def __init__(
        self,
        database: Database,
        hash_secret: str | None = None,
        deadline_s: float = 5.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        max_feedback: int = MAX_FEEDBACK,
        *,
        audit_secret: str | None = None,
    ) -> None:
        super().__init__(database, hash_secret, deadline_s, audit_secret)
        self._max_feedback = max_feedback
        self._clock = clock
        insert: Any = postgresql.insert if database.file is None else sqlite.insert
        # Made once: to make it takes longer than to run it, and SQLAlchemy knows it again by itself.
        self._add = adding(insert(answers))
        self._add_pictures = insert(pictures).on_conflict_do_nothing()

    async def add(self, records: Sequence[Record]) -> None:
        """Keep records, all or none.

        One that is there already is replaced: the question was answered again, and what was told last counts. One of
        which somebody has spoken, or that is of another question, is left as it is. Each gets an entry in the
        audit log.

        Raises:
            RecordRefusedError: If the database does not take one of them.
        """
        shown = [{"answer_id": each.id, "file": each.picture} for each in records if each.picture is not None]

        def work(connection: Connection) -> None:
            rows = [self._key.keyed(record.row) for record in records]
            connection.execute(self._add, rows)
            if shown:
                connection.execute(self._add_pictures, shown)
            clients = [record.client for record in records]
            told = [answer_event(row, client, self.audit.key) for row, client in zip(rows, clients, strict=True)]
            self.audit.append(connection, told)

        await self.write(work)

    async def check_repeated(self, answer_id: str, asked: Mapping[str, Any]) -> None:
        """Check that a question may be answered, perhaps again, under an id.

        Args:
            answer_id: The id.
            asked: The question, from `identity_of`.

        Raises:
            OtherQuestionError: If the id is that of an answer to another question, or to one that is not known again,
                since the secret of the hashes has been changed.
            ReviewedError: If somebody has spoken of that answer.
        """
        query = select(*(answers.c[name] for name in (*asked, "hash_key")), IS_REVIEWED.label("is_reviewed"))
        async with self.reading() as connection:
            row = (await connection.execute(query.where(answers.c.id == answer_id))).one_or_none()
        if row is None:
            return
        if row.hash_key is None:
            # Of a version before, which may still run beside this one: once keyed it can be replaced (see add).
            await self.key_hashes(answer_id=answer_id)
        known = asked if row.hash_key is None else self._key.keyed(asked)
        if any(getattr(row, name) != value for name, value in known.items()):
            raise OtherQuestionError(answer_id)
        if row.is_reviewed:
            raise ReviewedError(answer_id)

    async def get(self, answer_id: str) -> StoredAnswer:
        """Look up a record.

        Raises:
            UnknownAnswerError: If there is none.
        """
        async with self.reading() as connection:
            row = (await connection.execute(select(answers).where(answers.c.id == answer_id))).one_or_none()
            if row is None:
                raise UnknownAnswerError(answer_id)
            kept = select(func.count()).select_from(pictures).where(pictures.c.answer_id == answer_id)
            has_picture = bool((await connection.execute(kept)).scalar_one())
            said = select(feedback).where(feedback.c.answer_id == answer_id).order_by(feedback.c.number)
            given = (await connection.execute(said)).all()
        return StoredAnswer(row._asdict(), has_picture, tuple(map(feedback_of, given)))

    async def find_reply(self, answer_id: str) -> Row | None:
        """Look up when an answer was given, what its confidence belongs to, and the reply if kept; None without one."""
        query = select(*(answers.c[name] for name in ("at", "reply", *CalibrationKey.model_fields)))
        async with self.reading() as connection:
            return (await connection.execute(query.where(answers.c.id == answer_id))).one_or_none()

    async def picture(self, answer_id: str) -> bytes:
        """Look up a picture as the model got it.

        Raises:
            UnknownAnswerError: If none is kept.
        """
        async with self.reading() as connection:
            found = await connection.execute(select(pictures.c.file).where(pictures.c.answer_id == answer_id))
            file: bytes | None = found.scalar_one_or_none()
        if file is None:
            raise UnknownAnswerError(answer_id)
        return bytes(file)

    async def give_feedback(self, answer_id: str, said: Review) -> FeedbackRow:
        """Keep what somebody says of an answer, beside what was said before.

        Feedback is written one after the other and never given an earlier time than what is there, so that whoever has
        read `reviewed` up to some point misses nothing by going on from there.

        Raises:
            UnknownAnswerError: If there is no such record.
            FeedbackRefusedError: If it does not fit the answer.
            FeedbackFullError: If the answer has enough.
        """
        wanted = select(answers.c.letters, answers.c.letter, answers.c.has_verdict).where(answers.c.id == answer_id)
        of_answer = feedback.c.answer_id == answer_id

        def work(connection: Connection) -> FeedbackRow:
            answer = connection.execute(wanted).one_or_none()
            if answer is None:
                raise UnknownAnswerError(answer_id)
            correct = judge(answer, said)
            counted = select(func.count(), func.count().filter(feedback.c.strike.is_(None))).where(of_answer)
            count, standing = connection.execute(counted).one()
            if standing >= self._max_feedback or count >= _WITH_STRUCK * self._max_feedback:
                raise FeedbackFullError
            newest: datetime | None = connection.execute(select(func.max(feedback.c.at))).scalar_one()
            at = self._clock() if newest is None else max(self._clock(), newest + timedelta(microseconds=1))
            kept = FeedbackRow(at, said.who, said.comment, said.correct_option, correct)
            connection.execute(update(feedback).where(of_answer, feedback.c.is_latest).values(is_latest=False))
            row = {"at": at, "who": kept.who, "comment": kept.comment, "correct_option": kept.correct_option}
            row["key_name"] = said.key_name
            flags = {"correct": correct, "is_first": standing == 0, "is_latest": True}
            review = {"answer_id": answer_id, **row, **flags}
            add = insert(feedback).values(**review).returning(feedback.c.number)
            number: int = connection.execute(add).scalar_one()
            self.audit.append(connection, [review_event(review, number, self.audit.key)])
            return kept

        return await self.write(work, reviewing=True)

    async def reviewed(self, *, after: tuple[datetime, str] | None = None, limit: int = 1000) -> list[ReviewedAnswer]:
        """List reviewed answers in the order of their first feedback, each once and with its first verdict.

        Args:
            after: Only those later in the stream than this (reviewed_at, id); None for all.
            limit: Most that are given.
        """
        query = REVIEWED.where(feedback.c.is_first).order_by(feedback.c.at, answers.c.id).limit(limit)
        if after is not None:
            query = query.where(later(after))
        async with self.reading(6) as connection:
            return [reviewed_of(row) for row in (await connection.execute(query)).all()]

    async def reviewed_latest(self, limit: int) -> list[ReviewedAnswer]:
        """List the newest reviewed answers, at most `limit`, in the order of `reviewed`."""
        query = REVIEWED.where(feedback.c.is_first).order_by(feedback.c.at.desc(), answers.c.id.desc()).limit(limit)
        async with self.reading(6) as connection:
            return [reviewed_of(row) for row in (await connection.execute(query)).all()][::-1]

    async def export(
        self, wanted: Slice, *, after: tuple[datetime, str] | None = None, limit: int = 1000
    ) -> list[ExportedAnswer]:
        """List reviewed answers by the latest word on each, in the order of these words.

        Whoever reads page by page may get an answer twice, where somebody speaks of it meanwhile: the later counts.

        Args:
            wanted: Which.
            after: Only those later than this (reviewed_at, id); None for all.
            limit: Most that are given.
        """
        query = REVIEWED.where(feedback.c.is_latest, *conditions(wanted))
        query = query.order_by(feedback.c.at, answers.c.id).limit(limit)
        if after is not None:
            query = query.where(later(after))
        async with self.reading(6) as connection:
            rows = (await connection.execute(query)).all()
        return [exported_of(row, self._key) for row in rows]

    async def counts(self, wanted: Slice) -> list[KeyCount]:
        """Count answers to multiple choice, and the reviewed ones among them, by calibration key and decision."""
        by = [answers.c[name] for name in (*CalibrationKey.model_fields, "decision")]
        said = and_(feedback.c.answer_id == answers.c.id, feedback.c.is_latest)
        query = (
            select(*by, func.count().label("answers"), func.count(feedback.c.number).label("reviewed"))
            .select_from(answers.outerjoin(feedback, said))
            .where(answers.c.letters != "", *conditions(wanted))
            .group_by(*by)
            .order_by(*by)
        )
        async with self.reading(6) as connection:
            rows = (await connection.execute(query)).all()
        return [KeyCount(key_of_row(row), row.decision, row.answers, row.reviewed) for row in rows]

    async def prune(self, before: datetime, limit: int) -> int:
        """Forget answers from before a time, with their pictures and feedback.

        Args:
            before: The time.
            limit: Most that go at once; the oldest.

        Returns:
            How many went.
        """
        old = select(answers.c.id).where(answers.c.at < before).order_by(answers.c.at, answers.c.id).limit(limit)
        # Two gateways on one PostgreSQL do not wait for each other's batches.
        forget = delete(answers).where(answers.c.id.in_(old.with_for_update(skip_locked=True)))

        def work(connection: Connection) -> int:
            gone = connection.execute(forget).rowcount
            if gone:
                body = {"before": before.isoformat(), "count": gone}
                self.audit.append(connection, [AuditedEvent(Kind.PRUNE_RECORDS, body, self._clock())])
            return gone

        return await self.write(work)

    async def note(self, kind: Kind, body: Mapping[str, Any]) -> None:
        """Write an entry into the audit log that belongs to no change of the records."""
        event = AuditedEvent(kind, body, self._clock())
        await self.write(lambda connection: self.audit.append(connection, [event]))

    async def note_state(self, kind: Kind, state: Mapping[str, Any]) -> bool:
        """Write a state into the audit log, unless it is the one that was written last; whether it is new."""
        at = self._clock()
        return await self.write(lambda connection: self.audit.note_state(connection, kind, state, at))

    async def prune_log(self, before: datetime, limit: int) -> int:
        """Forget the audit log's entries from before a time, at most `limit` at once; return how many."""
        return await self.write(lambda connection: self.audit.prune(connection, before, limit, self._clock()))

    async def audit_head(self) -> Head:
        """Read where the audit log begins and ends."""
        async with self.reading() as connection:
            return await connection.run_sync(read_head)

    async def key_hashes(self, limit: int = 1, *, answer_id: str | None = None) -> int:
        """Key hashes that versions before this one stored plain.

        Args:
            limit: Most answers at once.
            answer_id: This answer's alone.

        Returns:
            Of how many answers.
        """
        plain = select(answers.c.id, *(answers.c[name] for name in HASHES)).where(answers.c.hash_key.is_(None))
        if answer_id is not None:
            plain = plain.where(answers.c.id == answer_id)
        plain = plain.order_by(answers.c.id).limit(limit).with_for_update(skip_locked=True)

        def work(connection: Connection) -> int:
            rows = connection.execute(plain).all()
            if rows:
                keyed = [self._key.keyed(row._asdict()) for row in rows]
                connection.execute(_KEY_HASHES, [{f"new_{name}": row[name] for name in row} for row in keyed])
            return len(rows)

        return await self.write(work)
