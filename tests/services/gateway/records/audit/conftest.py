from __future__ import annotations

import json
from typing import Any

from services.gateway.database_url import database_url
from services.gateway.records.audit.report import AuditReport, audit
from services.gateway.records.connection.database import Database
from services.gateway.records.store import RecordStore
from tests.services.gateway.records.conftest import Place


def entries_of(place: Place) -> list[dict[str, Any]]:
    """Entries of the log, by SQL alone."""
    rows = place.query("SELECT number, at, kind, body, key, mac FROM audit_log ORDER BY number")
    names = ("number", "at", "kind", "body", "key", "mac")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [{**each, "body": json.loads(each["body"])} for each in found]


async def audited(store: RecordStore, place: Place, anchor: str | None = None) -> AuditReport:
    """Verify the log and the records of a place with the store's key."""
    database = Database(database_url(place.url), timeout_s=5.0, upgrades=False)
    keys = {store.audit.key.id: store.audit.key}
    try:
        async with database.reading() as connection:
            return await connection.run_sync(lambda plain: audit(plain, keys, anchor=anchor))
    finally:
        await database.close()
