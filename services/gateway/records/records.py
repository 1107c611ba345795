"""The records of a running gateway: opened, kept in bounds and closed with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio
import structlog
from pydantic import SecretStr, ValidationError

from services.common.http.health import Dependency
from services.gateway.answering.kept_reply import GroundsNow, told_again
from services.gateway.answering.reply import Answered
from services.gateway.database_url import database_url
from services.gateway.intake.query import Query
from services.gateway.records.audit.state_watch import watch_states
from services.gateway.records.connection.database import Database
from services.gateway.records.errors import RecordsAwayError, ReviewedError
from services.gateway.records.metrics import RecordMetrics
from services.gateway.records.queries import key_of_row
from services.gateway.records.record import Keeping, identity_of, record_of
from services.gateway.records.store import RecordStore
from services.gateway.records.writer import RecordWriter
from services.gateway.schemas import VqaReply
from services.gateway.settings import GatewaySettings

_CLOSING_S = 3.0
_TOLD_AGAIN_FOR = timedelta(days=1)
_PRUNE_EVERY_S = 3600.0
_PRUNED_AT_ONCE = 500
_KEYED_AT_ONCE = 500
_PRUNE_PAUSE_S = 0.05
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a gateway's answers.

    Attributes:
        store: The database.
        writer: The way into it for answers.
        metrics: What is counted.
        keeping: What is kept beside figures, names and hashes.
        clock: Gives the present time, with its zone.
        deadline_s: Longest that an answer waits to hear whether it was given before.
    """

    store: RecordStore
    writer: RecordWriter
    metrics: RecordMetrics
    keeping: Keeping
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    deadline_s: float = 2.0

    async def check_repeated(self, query: Query) -> None:
        """Check that a question may be answered, perhaps again, under its id.

        While the database is away, any may be: an answer matters more than what is known of earlier ones.

        Raises:
            OtherQuestionError: If the id is that of an answer to another question.
            ReviewedError: If somebody has spoken of that answer.
        """
        if self.writer.is_away:
            return
        try:
            with anyio.fail_after(self.deadline_s):
                await self.store.check_repeated(query.id, identity_of(query))
        except (RecordsAwayError, TimeoutError) as error:
            _log.warning("nobody knows whether a question was asked before", reason=str(error) or "too slow")

    async def find_kept(self, query: Query, grounds_now: GroundsNow) -> VqaReply | None:
        """Find the reply that a question had under its id; None where it is to be answered, perhaps again.

        Replies are told again for a day, and only while they rest on what a reply would rest on now.

        Args:
            query: The question.
            grounds_now: What a reply would rest on now.

        Raises:
            OtherQuestionError: If the id is that of an answer to another question.
            ReviewedError: If somebody has spoken of that answer, and it cannot be told again.
        """
        if self.writer.is_away:
            return None
        reviewed: ReviewedError | None = None
        try:
            with anyio.fail_after(self.deadline_s):
                row = await self.store.find_reply(query.id)
                if row is None:
                    return None
                try:
                    await self.store.check_repeated(query.id, identity_of(query))
                except ReviewedError as error:
                    reviewed = error
        except (RecordsAwayError, TimeoutError) as error:
            _log.warning("nobody knows whether a line was answered before", reason=str(error) or "too slow")
            return None
        reply: VqaReply | None = None
        if row.reply is not None and self.clock() - row.at < _TOLD_AGAIN_FOR:
            try:
                reply = told_again(row.reply, query, grounds_now(key_of_row(row)))
            except ValidationError as error:
                # Of a version that tells replies otherwise, such as one that came before a step back.
                _log.warning("a kept reply cannot be read", answer_id=query.id, faults=error.error_count())
        if reply is None and reviewed is not None:
            # Before any model is asked: the answer could not be kept, nor told.
            raise reviewed
        return reply

    async def keep(self, answered: Answered) -> bool:
        """Keep an answer; see `record_of` for what of it.

        Returns:
            Whether it is stored.

        Raises:
            OtherQuestionError: If another question was answered under its id meanwhile, whose answer stands.
            ReviewedError: If the same question was, and somebody has spoken of that answer.
        """
        try:
            record = record_of(answered, self.keeping)
        except Exception as error:  # noqa: BLE001, RUF100 - no fault of ours may cost an answer
            _log.error("an answer cannot be recorded", answer_id=answered.query.id, exc_info=error)
            self.metrics.records.labels("lost").inc()
            is_stored = False
        else:
            is_stored = await self.writer.write(record)
        if not is_stored:
            self.metrics.unrecorded.inc()
        elif answered.query.is_repeatable:
            # Two that were asked at once under one key may both have found no answer under it.
            await self.check_repeated(answered.query)
        return is_stored

    def state(self) -> Dependency:
        """Report the records' state for /health/ready; answers do not depend on it."""
        waiting = f"{self.writer.waiting} wait" if self.writer.waiting else "none waits"
        if self.writer.is_away or not self.store.is_prepared:
            return Dependency(ok=False, required=False, detail=f"the database is away or too slow; {waiting}")
        return Dependency(ok=True, required=False, detail=waiting)

    async def prune(self, days: int) -> int:
        """Forget answers older than some days, a bounded number at a time; return how many went."""
        return await self._forget(days, self.store.prune)

    async def prune_audit(self, days: int) -> int:
        """Forget entries of the audit log older than some days, a bounded number at a time; return how many went."""
        return await self._forget(days, self.store.prune_log)

    async def _forget(self, days: int, prune: Callable[[datetime, int], Awaitable[int]]) -> int:
        before = self.clock() - timedelta(days=days)
        gone = 0
        while removed := await prune(before, _PRUNED_AT_ONCE):
            gone += removed
            await anyio.sleep(_PRUNE_PAUSE_S)  # others may write in between
        return gone

    async def log_audit_head(self) -> None:
        """Log how far the audit log goes: where logs are kept elsewhere, a log that was cut off is found by that."""
        if not self.store.is_prepared:
            return
        try:
            head = await self.store.audit_head()
        except RecordsAwayError:
            return
        _log.info("audit log", head=head.anchor, log=head.log, first=head.first)

    async def key_hashes(self) -> int:
        """Key the hashes that versions before this one stored plain, a bounded number at a time; return how many."""
        keyed = 0
        while done := await self.store.key_hashes(_KEYED_AT_ONCE):
            keyed += done
            await anyio.sleep(_PRUNE_PAUSE_S)
        return keyed


@asynccontextmanager
async def open_records(settings: GatewaySettings, metrics: RecordMetrics) -> AsyncIterator[Records | None]:
    """Keep records for the length of a block.

    Args:
        settings: Where, what and how long.
        metrics: What is counted.

    Yields:
        The records, or None where they are switched off. A database that cannot be reached is no obstacle: it is tried
        again with the next answers.

    Raises:
        NewerDatabaseError: If a newer version of the software has used the database.
        HashSecretError: If the secret of the hashes is missing, or is none.
    """
    url = settings.records_url.get_secret_value()
    if not url:
        yield None
        return
    database = Database(database_url(url), timeout_s=settings.record_deadline_s, upgrades=settings.records_upgrade)
    store = RecordStore(database, _secret(settings.record_hash_secret), audit_secret=_secret(settings.audit_secret))
    writer = RecordWriter(
        store, metrics, deadline_s=settings.record_deadline_s, max_waiting=settings.record_max_waiting
    )
    keeping = Keeping(settings.record_texts, settings.record_pictures)
    records = Records(store, writer, metrics, keeping, deadline_s=settings.record_deadline_s)
    try:
        try:
            await store.prepare()
        except RecordsAwayError as error:
            _log.error("the records' database cannot be reached", reason=str(error))
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer.run)
            tasks.start_soon(_tidy_for_ever, records, settings.record_days, settings.audit_days)
            tasks.start_soon(watch_states, store, settings)
            # Raised below: the task group would wrap it in a group of one.
            try:
                yield records
            except Exception as raised:  # noqa: BLE001, RUF100 - see above
                failure = raised
            await writer.close(_CLOSING_S)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await records.log_audit_head()
        if failure is not None:
            raise failure
    finally:
        await store.close()


def _secret(setting: SecretStr | None) -> str | None:
    return None if setting is None else setting.get_secret_value()


async def _tidy_for_ever(records: Records, days: int, audit_days: int) -> None:
    while True:
        try:
            # Again and again: gateways of a version before may run beside this one for a while.
            if keyed := await records.key_hashes():
                _log.info("plain hashes of earlier versions are keyed now", count=keyed)
            if days and (gone := await records.prune(days)):
                _log.info("old records forgotten", count=gone, older_than_days=days)
            if audit_days and (gone := await records.prune_audit(audit_days)):
                _log.info("old entries of the audit log forgotten", count=gone, older_than_days=audit_days)
        except RecordsAwayError as error:
            _log.warning("old records stay as they are for now", reason=str(error))
        await records.log_audit_head()
        await anyio.sleep(_PRUNE_EVERY_S)
