"""Monitoring's part of the records' database: its state, and acknowledgements of alarms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from services.gateway.monitoring.watched_stream import Acknowledgement
from services.gateway.records.audit.entry import AuditedEvent, Kind
from services.gateway.records.store import RecordStore
from services.gateway.records.tables import acknowledgements, monitoring, strikes

_ROW = 1


class MonitoringStore:
    """The records' database as monitoring uses it. All methods raise RecordsAwayError where it cannot be reached.

    Args:
        store: The records.
    """

    def __init__(self, store: RecordStore) -> None:
        self.records = store

    async def load(self) -> Mapping[str, Any] | None:
        """Read the newest state, or None."""
        async with self.records.reading() as connection:
            found = await connection.execute(select(monitoring.c.state).where(monitoring.c.id == _ROW))
            state: Mapping[str, Any] | None = found.scalar_one_or_none()
        return state

    async def save(self, state: Mapping[str, Any], seen: int, at: datetime, *, anew: bool = False) -> None:
        """Keep a state, unless another gateway has kept a later one.

        Args:
            state: JSON values.
            seen: Answers that it has seen.
            at: The present time.
            anew: Keep it in any case: what is there is of other settings.
        """
        row = {"seen": seen, "at": at, "state": dict(state)}

        def work(connection: Connection) -> None:
            there = connection.execute(select(monitoring.c.seen).where(monitoring.c.id == _ROW))
            before: int | None = there.scalar_one_or_none()
            if before is None:
                connection.execute(insert(monitoring).values(id=_ROW, **row))
            elif anew or before <= seen:
                connection.execute(monitoring.update().where(monitoring.c.id == _ROW).values(**row))

        await self.records.write(work, reviewing=True)

    async def acknowledge(self, word: Acknowledgement) -> None:
        """Keep what an administrator said of an alarm."""
        row = {"alarm": word.alarm, "at": word.at, "who": word.who, "note": word.note}
        event = AuditedEvent(Kind.ACKNOWLEDGE, {"alarm": word.alarm, "who": word.who}, word.at)

        def work(connection: Connection) -> None:
            connection.execute(insert(acknowledgements).values(**row))
            self.records.audit.append(connection, [event])

        await self.records.write(work)

    async def strikes(self) -> int:
        """Read the number of the newest strike, or 0: where it changed, reviews that were counted may count no more."""
        async with self.records.reading() as connection:
            newest: int | None = (await connection.execute(select(func.max(strikes.c.number)))).scalar_one()
        return newest or 0

    async def acknowledged(self) -> list[Acknowledgement]:
        """List what administrators said, the oldest first."""
        query = select(acknowledgements).order_by(acknowledgements.c.number)
        async with self.records.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [Acknowledgement(row.alarm, row.at, row.who, row.note) for row in rows]
