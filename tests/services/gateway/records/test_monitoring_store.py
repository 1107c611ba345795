"""Monitoring's tables beside the records, on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.gateway.monitoring.store import MonitoringStore
from services.gateway.monitoring.watched_stream import Acknowledgement
from services.gateway.records.store import RecordStore

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_a_later_state_of_another_gateway_is_not_overwritten(store: RecordStore) -> None:
    kept = MonitoringStore(store)
    assert await kept.load() is None
    await kept.save({"from": "ahead", "evidence": [0.1 + 0.2, None]}, 10, AT)
    await kept.save({"from": "behind"}, 9, AT)
    assert await kept.load() == {"from": "ahead", "evidence": [0.1 + 0.2, None]}
    await kept.save({"from": "further"}, 11, AT)
    assert await kept.load() == {"from": "further"}
    await kept.save({"from": "other settings"}, 3, AT, anew=True)
    assert await kept.load() == {"from": "other settings"}


async def test_what_was_said_of_alarms_comes_back_in_order(store: RecordStore) -> None:
    kept = MonitoringStore(store)
    words = [
        Acknowledgement("0123456789ab", AT + timedelta(microseconds=7), "Dr. Ä", "a new scanner"),
        Acknowledgement("ba9876543210", AT, "Dr. B", None),
    ]
    for word in words:
        await kept.acknowledge(word)
    assert await kept.acknowledged() == words
