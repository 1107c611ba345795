"""The records' database, its tables up to date: who reads and writes it, for how long, and what can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.gateway.records.audit.chain import ChainKey
from services.gateway.records.audit.log import AuditLog
from services.gateway.records.connection.database import Database
from services.gateway.records.connection.hash_key import HashKey, find_hash_key
from services.gateway.records.errors import HashSecretError, RecordRefusedError, RecordsAwayError
from services.gateway.records.migrations.upgrading import NewerDatabaseError, OlderDatabaseError
from services.gateway.records.tables import answers

T = TypeVar("T")

_AUDIT: Final = b"trustvqa: the secret of the audit log"
_log = structlog.get_logger(__name__)


class PreparedDatabase:
    """A database of records that is brought up to date before it is first used, and whose operations have deadlines.

    All methods raise RecordsAwayError where it cannot be reached.

    Args:
        database: The connections.
        hash_secret: The secret of the records' hashes; None for that in the file beside SQLite's.
        deadline_s: Longest time for one operation; listings and counts may take six times that.
        audit_secret: The secret of the audit log; None for one that is derived from that of the hashes.
    """

    def __init__(
        self, database: Database, hash_secret: str | None, deadline_s: float, audit_secret: str | None = None
    ) -> None:
        self._database = database
        self._deadline_s = deadline_s
        self._preparing = asyncio.Lock()
        self._hash_secret = hash_secret
        self._hash_key: HashKey | None = None
        self._audit_secret = audit_secret
        self._audit: AuditLog | None = None

    @property
    def is_prepared(self) -> bool:
        """Whether the database was reached, its tables are up to date and the key of its hashes is known."""
        return self._hash_key is not None

    async def prepare(self) -> None:
        """Bring the tables up to date, or see that they are, and find the key of hashes, if that has not been done.

        Raises:
            NewerDatabaseError: If a newer version of the software has used the database.
            HashSecretError: If the secret of the hashes is missing, or is none.
        """
        if self._hash_key is not None:
            return
        async with self._within(6), self._preparing:
            if self._hash_key is None:
                try:
                    await self._database.prepare()
                except OlderDatabaseError as error:
                    raise RecordsAwayError(str(error)) from error
                key = await find_hash_key(self._database, self._hash_secret)
                await self._compare(key)
                self._audit = AuditLog(chain_key(key, self._audit_secret))
                self._hash_key = key

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    @asynccontextmanager
    async def reading(self, longer: float = 1) -> AsyncIterator[AsyncConnection]:
        """Hold a connection for a block that changes nothing, for at most so many times the deadline."""
        await self._prepared()
        async with self._within(longer), self._database.reading() as connection:
            yield connection

    async def write(self, work: Callable[[Connection], T], *, reviewing: bool = False) -> T:
        """Do work in a transaction, as `Database.write`; with `reviewing` in one that none of its kind runs beside."""
        await self._prepared()
        async with self._within():
            return await (self._database.review(work) if reviewing else self._database.write(work))

    async def _prepared(self) -> None:
        try:
            await self.prepare()
        except (NewerDatabaseError, HashSecretError) as error:
            raise RecordsAwayError(str(error)) from error

    @property
    def _key(self) -> HashKey:
        assert self._hash_key is not None  # noqa: S101 - reading and writing come after prepare
        return self._hash_key

    @property
    def audit(self) -> AuditLog:
        """The audit log, to be written to in what is done by `write`."""
        assert self._audit is not None  # noqa: S101 - reading and writing come after prepare
        return self._audit

    async def _compare(self, key: HashKey) -> None:
        """Compare a key with that of the newest hashes, and log it where they differ: none will equal another then."""
        newest = select(answers.c.hash_key).where(answers.c.hash_key.is_not(None))
        newest = newest.order_by(answers.c.at.desc(), answers.c.id.desc()).limit(1)
        async with self._database.reading() as connection:
            found: str | None = (await connection.execute(newest)).scalar_one_or_none()
        if found not in (None, key.id):
            _log.error(
                "the secret of the records' hashes is not the one that the newest record was stored with: it was "
                "changed or lost, or gateways on one database have different ones",
                newest=found,
                own=key.id,
            )

    @asynccontextmanager
    async def _within(self, longer: float = 1) -> AsyncIterator[None]:
        """Bound the time of a block, and tell what is away for now from what will never work."""
        try:
            async with asyncio.timeout(self._deadline_s * longer):
                yield
        except (DataError, IntegrityError) as error:
            raise RecordRefusedError(type(error.orig).__name__) from error
        except (SQLAlchemyError, TimeoutError, OSError) as error:
            if isinstance(error, StatementError) and not isinstance(error, DBAPIError):
                raise RecordRefusedError(str(error.orig)) from error
            # The driver's message alone: SQLAlchemy's own would quote what was to be written.
            said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
            raise RecordsAwayError(f"{type(error).__name__}: {said}".strip()) from error


def chain_key(hash_key: HashKey, audit_secret: str | None) -> ChainKey:
    """Make the key of the audit log: of a secret of its own, or derived from that of the hashes.

    Args:
        hash_key: The key of the records' hashes.
        audit_secret: The secret of its own, or None.
    """
    return ChainKey(hash_key.derived(_AUDIT) if audit_secret is None else audit_secret.encode())
