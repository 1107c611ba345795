"""Reading the audit log, a bounded number of entries in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from services.gateway.records.audit.entry import LogEntry
from services.gateway.records.tables import audit_log

_AT_ONCE = 2_000
_COLUMNS = [audit_log.c[name] for name in LogEntry.__slots__]


def entries(connection: Connection, *, first: int | None = None, last: int | None = None) -> Iterator[LogEntry]:
    """Read entries in the order of their numbers.

    Args:
        connection: In one transaction with whatever read the head.
        first: Number of the first; None for whatever lies there.
        last: Number of the last; likewise.
    """
    query = select(*_COLUMNS).order_by(audit_log.c.number)
    if first is not None:
        query = query.where(audit_log.c.number >= first)
    if last is not None:
        query = query.where(audit_log.c.number <= last)
    result = connection.execution_options(yield_per=_AT_ONCE).execute(query)
    for part in result.partitions():
        for number, at, kind, body, key, mac in part:
            yield LogEntry(number, at, kind, body, key, mac)


def seal_of(connection: Connection, number: int) -> str | None:
    """Read the seal of an entry; None where there is no such entry."""
    found: str | None = connection.execute(
        select(audit_log.c.mac).where(audit_log.c.number == number)
    ).scalar_one_or_none()
    return found


def first_since(connection: Connection, at: str) -> int | None:
    """Find the number of the first entry of a time, as `moment` writes it, or later."""
    query = select(audit_log.c.number).where(audit_log.c.at >= at).order_by(audit_log.c.number).limit(1)
    found: int | None = connection.execute(query).scalar_one_or_none()
    return found
