"""The monitor against a real database: restarts, several gateways, a database that goes away, acknowledgements."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from prompt4trust.calibration import CalibrationKey
from services.gateway.database_url import database_url
from services.gateway.errors import UnknownAlarmError
from services.gateway.monitoring.monitor import Monitor, open_monitor
from services.gateway.monitoring.observer import Watching
from services.gateway.monitoring.store import MonitoringStore
from services.gateway.monitoring.watched_stream import Fit, Kind
from services.gateway.records.connection.database import Database
from services.gateway.records.reviewed_answer import ReviewedAnswer
from services.gateway.records.store import RecordStore
from services.gateway.records.tables import answers as answers_table
from services.gateway.records.tables import feedback as feedback_table
from tests.services.gateway.monitoring.streams import BEGIN, FIT, PAIR, stream
from tests.support.waiting import until


def applied(kind: Kind, pair: CalibrationKey) -> Fit | None:
    """One calibrator, for one pair."""
    return FIT if (kind, pair) == ("calibrator", PAIR) else None


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[MonitoringStore]:
    store = RecordStore(Database(database_url(f"sqlite:///{tmp_path}/records.db"), timeout_s=0.2), deadline_s=20.0)
    await store.prepare()
    yield MonitoringStore(store)
    await store.close()


async def put(kept: MonitoringStore, found: Iterable[ReviewedAnswer]) -> None:
    """Write answers with their feedback, as the store would have at their times."""
    digests = ("image_sha256", "question_sha256", "options_sha256", "explanation_sha256")
    rows, said = [], []
    for each in found:
        rows.append(
            {
                **{"id": each.id, "at": each.at, **each.key.model_dump(), "calibrator": each.calibrator},
                **{"stated": each.stated, "confidence": each.confidence, "signals": {}, "letters": "ABCD"},
                **{"letter": "A", "has_verdict": True, "decision": each.decision, "code": "x", "rule": "x"},
                **{"guarantee": False, "groups": dict(each.groups), "degraded": [], "policy_ms": 0.0},
                **{"downstream_ms": 0.0, "total_ms": 0.0, **dict.fromkeys(digests, "0" * 64)},
            }
        )
        flags = {"is_first": True, "is_latest": True, "correct": each.correct}
        said.append({"answer_id": each.id, "at": each.reviewed_at, "who": "tester", **flags})

    def work(connection: Connection) -> None:
        connection.execute(insert(answers_table), rows)
        connection.execute(insert(feedback_table), said)

    await kept.records.write(work)


def status(monitor: Monitor) -> str:
    return monitor.report.status


class Clock:
    def __init__(self) -> None:
        self.now = BEGIN + timedelta(days=30)

    def __call__(self) -> datetime:
        return self.now


async def test_an_alarm_is_raised_once_outlives_restarts_and_forgotten_answers_and_ends_when_acknowledged(
    kept: MonitoringStore,
) -> None:
    clock = Clock()
    monitor = Monitor(kept, Watching(), applied, clock=clock)
    assert status(monitor) == "starting"
    await monitor.look()
    assert status(monitor) == "empty"
    await put(kept, stream(150, off=-0.3))
    await monitor.look()
    assert status(monitor) == "alarm"
    alarm = monitor.alarm_for(PAIR)
    assert alarm is not None
    await monitor.close()

    # Its answers are forgotten, and the gateway starts again.
    assert await kept.records.prune(BEGIN + timedelta(days=10), 1000) == 150
    again = Monitor(kept, Watching(), applied, clock=clock)
    await again.look()
    assert again.alarm_for(PAIR) == alarm
    assert again.report.reviewed == 150
    beside = Monitor(kept, Watching(), applied, clock=clock)
    await beside.look()

    with pytest.raises(UnknownAlarmError):
        await again.acknowledge("nothing", "Dr. A", None)
    await again.acknowledge(alarm.id, "Dr. A", "known")
    assert again.report.status == "watching"
    assert again.alarm_for(PAIR) is None
    told = again.report.streams[0].alarm
    assert told is not None
    assert told.acknowledged is not None
    assert (told.state, told.acknowledged.who, told.acknowledged.note) == ("acknowledged", "Dr. A", "known")
    with pytest.raises(UnknownAlarmError):
        await again.acknowledge(alarm.id, "Dr. A", None)
    # The other gateway hears of it at its next look, and so does one that starts later.
    await beside.look()
    assert beside.alarm_for(PAIR) is None
    await again.close()
    last = Monitor(kept, Watching(), applied, clock=clock)
    await last.look()
    assert last.report.status == "watching"


async def test_other_settings_read_the_stream_anew(kept: MonitoringStore) -> None:
    await put(kept, stream(150, off=-0.3))
    first = Monitor(kept, Watching(), applied)
    await first.look()
    await first.close()
    patient = Monitor(kept, Watching(tolerance=0.4), applied)
    await patient.look()
    assert (patient.report.status, patient.report.reviewed) == ("watching", 150)
    await patient.close()
    state = await kept.load()
    assert state is not None
    assert state["watching"]["tolerance"] == 0.4


async def test_a_fault_of_its_own_is_said_and_ends_nothing(kept: MonitoringStore) -> None:
    faults = [ZeroDivisionError]

    def failing(kind: Kind, pair: CalibrationKey) -> Fit | None:
        if faults:
            raise faults.pop()
        return applied(kind, pair)

    await put(kept, stream(20))
    monitor = Monitor(kept, Watching(), failing)
    await monitor.look()
    assert "failed" in (monitor.report.problem or "")
    await monitor.look()
    assert (status(monitor), monitor.report.problem, monitor.report.reviewed) == ("watching", None, 20)


async def test_a_database_that_is_away_leaves_what_was_known_and_is_said(kept: MonitoringStore, tmp_path: Path) -> None:
    clock = Clock()
    monitor = Monitor(kept, Watching(), applied, clock=clock)
    await put(kept, stream(40))
    await monitor.look()
    known = monitor.report
    clock.now += timedelta(minutes=5)
    await kept.records.close()
    (tmp_path / "records.db").rename(tmp_path / "elsewhere")
    (tmp_path / "records.db").mkdir()
    await monitor.look()
    away = monitor.report
    assert away.problem is not None
    assert away.model_copy(update={"problem": None}) == known
    (tmp_path / "records.db").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "records.db")
    await monitor.look()
    assert monitor.report.problem is None
    assert monitor.report.as_of == clock.now


async def test_it_looks_by_itself_and_reads_on_from_where_it_was(kept: MonitoringStore, tmp_path: Path) -> None:
    await put(kept, stream(600))  # more than a page
    monitor = Monitor(kept, Watching(), applied, every_s=0.02)
    async with open_monitor(monitor):
        await until(lambda: monitor.report.reviewed == 600)
        await put(kept, stream(30, begin=600, seed=3))
        await until(lambda: monitor.report.reviewed == 630)
    with sqlite3.connect(tmp_path / "records.db") as connection:
        assert connection.execute("SELECT seen FROM monitoring").fetchall() == [(630,)]


async def test_a_change_of_the_live_calibrator_shows_without_a_new_review(kept: MonitoringStore) -> None:
    live = [FIT]
    monitor = Monitor(kept, Watching(), lambda kind, pair: live[0])
    await put(kept, stream(150, off=-0.3))
    await monitor.look()
    assert status(monitor) == "alarm"
    live[0] = Fit("platt-2", FIT.fitted)
    assert monitor.alarm_for(PAIR) is None  # at once
    await monitor.look()
    assert status(monitor) == "watching"


async def test_what_is_live_is_read_anew_before_each_look_though_nobody_asks(kept: MonitoringStore) -> None:
    published, known = [FIT], [FIT]

    async def refresh() -> None:
        known[0] = published[0]

    monitor = Monitor(kept, Watching(), lambda kind, pair: known[0], refresh=refresh)
    await put(kept, stream(150, off=-0.3))
    await monitor.look()
    assert status(monitor) == "alarm"
    published[0] = Fit("platt-2", FIT.fitted)
    await monitor.look()
    assert status(monitor) == "watching"


async def test_without_records_it_says_so() -> None:
    monitor = Monitor(None, Watching(), applied)
    async with open_monitor(monitor):
        await asyncio.sleep(0)
        await monitor.look()
        assert status(monitor) == "off"
        with pytest.raises(UnknownAlarmError):
            await monitor.acknowledge("x", "Dr. A", None)
