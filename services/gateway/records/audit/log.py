"""Writing to the audit log, in the transaction of what it tells of: both are stored, or neither is."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from services.gateway.records.audit.chain import ChainKey, Head
from services.gateway.records.audit.entry import AuditedEvent, Kind, LogEntry, canonical, moment
from services.gateway.records.tables import audit_head, audit_log

_ROW: Final = 1
_HEAD: Final = select(*(audit_head.c[name] for name in Head.__slots__)).where(audit_head.c.id == _ROW)
_LOCKED: Final = _HEAD.with_for_update()
_ADD: Final = insert(audit_log)
# With its values by name: with values of its own it would be made anew each time, which takes longer than to run it.
_MOVE: Final = (
    update(audit_head)
    .where(audit_head.c.id == _ROW)
    .values({name: bindparam(f"new_{name}") for name in Head.__slots__})
)


class AuditLog:
    """The audit log of a database.

    Writers take turns at the head's row: SQLite has one writer at a time anyway, PostgreSQL locks it. What is written
    while others wait is short.

    Args:
        key: The key that entries are sealed under.
    """

    def __init__(self, key: ChainKey) -> None:
        self.key = key

    def append(self, connection: Connection, events: Sequence[AuditedEvent]) -> None:
        """Add an entry for each event, in their order.

        Args:
            connection: In a transaction that writes.
            events: What happened.
        """
        self._append(connection, read_head(connection, locked=True), events)

    def note_state(self, connection: Connection, kind: Kind, state: Mapping[str, Any], at: datetime) -> bool:
        """Add an entry with a state, unless the last entry of its kind had the same.

        Args:
            connection: In a transaction that writes.
            kind: What the state is of.
            state: JSON values.
            at: When it was found.

        Returns:
            Whether it is new.
        """
        head = read_head(connection, locked=True)
        # Before the first event of a log there is no key in `states`; whose key was changed sees all as new.
        known, found = dict(json.loads(head.states)), self.key.digest(canonical(state))
        if known.get(kind) == found:
            return False
        head = replace(head, states=canonical({**known, kind: found}))
        self._append(connection, head, [AuditedEvent(kind, state, at)])
        return True

    def prune(self, connection: Connection, before: datetime, limit: int, at: datetime) -> int:
        """Forget the oldest entries, those from before a time, and write down up to where.

        The newest entry stays in any case. The head, sealed, then says where the log begins.

        Args:
            connection: In a transaction that writes.
            before: The time.
            limit: Most that go at once.
            at: The present time.

        Returns:
            How many went.
        """
        head = read_head(connection, locked=True)
        young = select(func.min(audit_log.c.number)).where(audit_log.c.at >= moment(before))
        first: int | None = connection.execute(young).scalar_one()
        first = min(head.number if first is None else first, head.first + limit)
        if first <= head.first:
            return 0
        last = select(audit_log.c.mac).where(audit_log.c.number == first - 1)
        seal: str | None = connection.execute(last).scalar_one_or_none()
        if seal is None:
            return 0  # somebody has taken it out: what is left is evidence
        connection.execute(delete(audit_log).where(audit_log.c.number < first))
        body = {"from": head.first, "to": first - 1, "mac": seal}
        count = first - head.first
        self._append(connection, replace(head, first=first, before=seal), [AuditedEvent(Kind.PRUNE_LOG, body, at)])
        return count

    def _append(self, connection: Connection, head: Head, events: Sequence[AuditedEvent]) -> None:
        if not events:
            return
        if head.number == 0:
            log = secrets.token_hex(16)
            head = replace(head, log=log)
            events = [AuditedEvent(Kind.BEGIN, {"log": log}, events[0].at), *events]
        rows = []
        number, mac = head.number, head.mac
        for event in events:
            number += 1
            plain = LogEntry(number, moment(event.at), str(event.kind), canonical(event.body), "", "")
            entry = self.key.sealed(plain, mac)
            mac = entry.mac
            rows.append({name: getattr(entry, name) for name in LogEntry.__slots__})
        connection.execute(_ADD, rows)
        moved = self.key.sealed_head(replace(head, number=number, mac=mac))
        connection.execute(_MOVE, {f"new_{name}": getattr(moved, name) for name in Head.__slots__})


def read_head(connection: Connection, *, locked: bool = False) -> Head:
    """Read where the log begins and ends.

    Args:
        connection: Any.
        locked: Whether nobody else may write to the log until the transaction ends.
    """
    row = connection.execute(_LOCKED if locked else _HEAD).one_or_none()
    return Head() if row is None else Head(*row)
