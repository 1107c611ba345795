"""Whatever is done is in the log, in the transaction of what it tells of; on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from services.gateway.database_url import database_url
from services.gateway.monitoring.store import MonitoringStore
from services.gateway.monitoring.watched_stream import Acknowledgement
from services.gateway.records.audit.entry import Kind
from services.gateway.records.connection.database import Database
from services.gateway.records.entities import Review
from services.gateway.records.errors import RecordsAwayError
from services.gateway.records.store import RecordStore
from services.gateway.reviews.store import ReviewStore
from tests.services.gateway.conftest import HASH_SECRET
from tests.services.gateway.records.audit.conftest import audited, entries_of
from tests.services.gateway.records.conftest import Place, record, sqlite_place

ROOT = Path(__file__).resolve().parents[5]


async def test_answers_reviews_and_what_administrators_do_have_entries_and_no_content(
    store: RecordStore, place: Place
) -> None:
    texts = {"question": "Is Jane Doe's nodule round?", "options": {"A": "Yes"}, "explanation": "As Jane Doe's was."}
    first, second = record(**texts), record(decision="defer", code="not-confident", calibrator=None)
    await store.add([first, second])
    said = Review("Dr. A", comment="Jane Doe called", right=True, key_name="ward 3")
    await store.give_feedback(first.id, said)
    reviews = ReviewStore(store)
    await reviews.strike([1], "Dr. Admin", "a slip about Jane Doe")
    await reviews.strike([1], "Dr. Admin", None, restores=True)
    await MonitoringStore(store).acknowledge(Acknowledgement("ab" * 6, datetime.now(UTC), "Dr. Admin", "seen"))
    found = entries_of(place)
    assert [each["kind"] for each in found] == [
        *("begin", "answer", "answer", "review", "strike", "restore", "acknowledge"),
    ]
    answer = found[1]["body"]
    assert (answer["answer"], answer["decision"], answer["downstream"]) == (first.id, "answer", "model-1")
    assert (answer["policy"], answer["calibrator"], answer["guard"]) == ("policy-1", "platt-cgp", "guard-cgp")
    assert found[1]["at"] == "2026-03-01T12:00:00.000000Z"
    assert found[2]["body"]["decision"] == "defer"
    assert "letter" not in found[2]["body"]  # nobody learns from the log what a deferral would have said
    assert found[3]["body"].items() >= {"who": "Dr. A", "key": "ward 3", "answer": first.id, "review": 1}.items()
    assert found[4]["body"] == {"strike": 1, "who": "Dr. Admin", "reviews": [1]}
    assert "Jane" not in json.dumps(found)
    report = await audited(store, place)
    assert (report.is_whole, report.entries, report.head.number) == (True, 7, 7)


async def test_what_is_not_stored_has_no_entry(store: RecordStore, place: Place) -> None:
    await store.add([record()])
    with place.away(), pytest.raises(RecordsAwayError):
        await store.add([record()])
    assert [each["kind"] for each in entries_of(place)] == ["begin", "answer"]


async def test_an_entry_that_cannot_be_written_takes_the_record_with_it(store: RecordStore, place: Place) -> None:
    await store.add([record()])
    place.query("ALTER TABLE audit_log RENAME TO elsewhere")
    with pytest.raises(RecordsAwayError):
        await store.add([record()])
    place.query("ALTER TABLE elsewhere RENAME TO audit_log")
    assert place.query("SELECT count(*) FROM answers") == [(1,)]
    assert (await audited(store, place)).is_whole


async def test_an_answer_that_is_given_again_has_an_entry_each_time_and_stays_provable(
    store: RecordStore, place: Place
) -> None:
    first = record()
    await store.add([first])
    await store.add([record(id=first.id, confidence=0.71)])
    await store.give_feedback(first.id, Review("Dr. A", right=True))
    await store.add([record(id=first.id, confidence=0.72)])  # reviewed by now: the row stays
    assert [each["kind"] for each in entries_of(place)] == ["begin", "answer", "answer", "review", "answer"]
    assert (await audited(store, place)).is_whole


async def test_gateways_that_write_at_once_make_one_chain(place: Place) -> None:
    stores = [
        RecordStore(Database(database_url(place.url), timeout_s=20.0), HASH_SECRET, deadline_s=20) for _ in range(4)
    ]

    async def write(store: RecordStore) -> None:
        for _ in range(10):
            await store.add([record(), record()])
            await store.note_state(Kind.REGISTRY, {"policy": "policy-1"})

    async with anyio.create_task_group() as tasks:
        for store in stores:
            tasks.start_soon(write, store)
    report = await audited(stores[0], place)
    # Begun once, and the same state once; after that nothing new was seen by any of them.
    assert (report.is_whole, report.entries) == (True, 1 + 4 * 10 * 2 + 1)
    for store in stores:
        await store.close()


async def test_a_state_is_written_when_it_changes(store: RecordStore, place: Place) -> None:
    assert await store.note_state(Kind.KEYS, {"keys": ["a"]})
    assert not await store.note_state(Kind.KEYS, {"keys": ["a"]})
    assert await store.note_state(Kind.REGISTRY, {"keys": ["a"]})
    assert await store.note_state(Kind.KEYS, {"keys": ["a", "b"]})
    assert await store.note_state(Kind.KEYS, {"keys": ["a"]})
    assert [each["kind"] for each in entries_of(place)] == ["begin", "keys", "registry", "keys", "keys"]


async def test_entries_that_are_too_old_go_and_the_rest_stays_provable(store: RecordStore, place: Place) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    old = [record(at=start + timedelta(days=day)) for day in range(10)]
    for each in old:
        await store.add([each])
    noted = (await store.audit_head()).anchor
    limit = start + timedelta(days=6)
    assert [await store.prune_log(limit, 4), await store.prune_log(limit, 4), await store.prune_log(limit, 4)] == [
        *(4, 3, 0),
    ]
    found = entries_of(place)
    assert [each["kind"] for each in found] == [*["answer"] * 4, "prune-log", "prune-log"]
    assert found[-1]["body"].items() >= {"from": 5, "to": 7}.items()
    report = await audited(store, place, noted)
    assert (report.is_whole, report.head.first) == (True, 8)
    # Everything is old: the newest stays, for the chain goes on from it.
    assert await store.prune_log(datetime.now(UTC) + timedelta(days=1), 1000) == 5
    assert (await audited(store, place, noted)).is_whole
    await store.add([record()])
    assert (await audited(store, place)).is_whole


async def test_under_another_secret_the_log_goes_on_and_needs_both_to_be_proved(place: Place) -> None:
    keys = {}
    for secret in ("a" * 40, "b" * 40):
        store = RecordStore(Database(database_url(place.url), timeout_s=5.0), HASH_SECRET, audit_secret=secret)
        await store.add([record()])
        keys[store.audit.key.id] = store.audit.key
        report = await audited(store, place)
        await store.close()
    assert {each.fault for each in report.findings} == {"unknown-key"}
    assert len({each["key"] for each in entries_of(place)}) == 2


async def test_somebody_s_change_of_a_record_is_found(store: RecordStore, place: Place) -> None:
    records = [record() for _ in range(4)]
    await store.add(records)
    for each in records:
        await store.give_feedback(each.id, Review("Dr. A", right=True))
    assert (await audited(store, place)).is_whole
    one, other, third, fourth = (each.id for each in records)
    place.query(f"UPDATE answers SET confidence = 0.99 WHERE id = '{one}' RETURNING 1")  # noqa: S608
    place.query(f"DELETE FROM answers WHERE id = '{other}' RETURNING 1")  # noqa: S608
    place.query(f"UPDATE feedback SET who = 'Dr. B' WHERE answer_id = '{third}' RETURNING 1")  # noqa: S608
    place.query(f"UPDATE feedback SET strike = 7 WHERE answer_id = '{fourth}' RETURNING 1")  # noqa: S608
    report = await audited(store, place)
    assert report.findings == []
    assert {(each.what, each.name, each.fault) for each in report.records} == {
        ("answer", one, "changed"),
        ("answer", other, "gone"),
        ("review", "3", "changed"),
        ("review", "4", "strike"),
    }


async def test_somebody_s_change_of_what_is_told_again_is_found(store: RecordStore, place: Place) -> None:
    kept = {"decision": "defer"}
    records = [record(reply=kept, result=kept) for _ in range(3)]
    await store.add(records)
    assert (await audited(store, place)).is_whole
    for each, column in zip(records, ("reply", "result"), strict=False):
        changed = f"""UPDATE answers SET {column} = '{{"decision": "answer"}}' WHERE id = '{each.id}' RETURNING 1"""  # noqa: S608
        place.query(changed)
    report = await audited(store, place)
    assert {(each.name, each.fault) for each in report.records} == {(each.id, "reply-changed") for each in records[:2]}


async def test_a_record_that_no_gateway_stored_is_found(store: RecordStore, place: Place) -> None:
    mine, forged = record(), record()
    await store.add([mine, forged])
    key = store.audit.key.id
    await store.close()
    head = place.query("SELECT number FROM audit_head")
    assert head == [(3,)]
    other = RecordStore(Database(database_url(place.url), timeout_s=5.0), HASH_SECRET)
    await other.prepare()
    # A copy of the row under another id, as whoever lacks the key would put it in.
    columns = [name for (name,) in place.query(_COLUMNS[place.url.startswith("postgres")]) if name != "id"]
    listed = ", ".join(f'"{name}"' for name in columns)
    new = "00000000-0000-4000-8000-000000000001"
    place.query(
        f"INSERT INTO answers (id, {listed}) SELECT '{new}', {listed} FROM answers WHERE id = '{mine.id}' RETURNING 1"  # noqa: S608
    )
    report = await audited(other, place)
    assert [(each.name, each.fault) for each in report.records] == [(new, "without-entry")]
    assert other.audit.key.id == key
    await other.close()


_COLUMNS = {
    False: "SELECT name FROM pragma_table_info('answers')",
    True: "SELECT column_name FROM information_schema.columns WHERE table_name = 'answers'",
}


async def test_records_whose_time_was_over_are_not_missed(store: RecordStore, place: Place) -> None:
    old, young = record(at=datetime(2026, 1, 1, tzinfo=UTC)), record()
    await store.add([old, young])
    assert await store.prune(datetime(2026, 2, 1, tzinfo=UTC), 10) == 1
    assert entries_of(place)[-1]["body"] == {"before": "2026-02-01T00:00:00+00:00", "count": 1}
    assert (await audited(store, place)).is_whole


WRITER = """
import asyncio, json, resource, sys, uuid
from datetime import datetime
from services.gateway.database_url import database_url
from services.gateway.records.connection.database import Database
from services.gateway.records.errors import RecordsError
from services.gateway.records.record import Record
from services.gateway.records.store import RecordStore

async def write(url, secret, limit, row):
    store = RecordStore(Database(database_url(url), timeout_s=5.0), secret)
    await store.prepare()
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    row = {**row, "at": datetime.fromisoformat(row["at"]), "explanation": "x" * 2000}
    while True:
        kept = Record({**row, "id": str(uuid.uuid4())})
        try:
            await store.add([kept])
        except RecordsError:
            print("full", flush=True)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            continue
        print(kept.id, flush=True)

asyncio.run(write(sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])))
"""
"""A gateway's way of storing answers in a process of its own: it tells the id of each once it is stored."""


def writing(place: Place, limit: int = 0) -> subprocess.Popen[str]:
    row = {name: value.isoformat() if name == "at" else value for name, value in record().row.items()}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, place.url, HASH_SECRET, str(limit), json.dumps(row)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_a_process_that_is_killed_leaves_a_whole_log_that_holds_all_it_told(place: Place) -> None:
    told: set[str] = set()
    with writing(place) as process:
        assert process.stdout is not None
        for _ in range(20):
            told.add(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
        told.update(line.strip() for line in process.stdout if line.endswith("\n"))
    store = RecordStore(Database(database_url(place.url), timeout_s=5.0), HASH_SECRET)
    await store.prepare()
    report = await audited(store, place)
    assert (report.findings, report.records) == ([], [])
    assert told <= {each["body"].get("answer") for each in entries_of(place)}
    await store.close()


async def test_a_full_disk_stores_neither_record_nor_entry_and_the_chain_goes_on(tmp_path: Path) -> None:
    place = sqlite_place(tmp_path / "records.db")
    told: list[str] = []
    with writing(place, limit=400_000) as process:
        assert process.stdout is not None
        while "full" not in told[:-3]:
            told.append(process.stdout.readline().strip())
            assert told[-1]
        process.kill()
        told += [line.strip() for line in process.stdout if line.endswith("\n")]
    store = RecordStore(Database(database_url(place.url), timeout_s=5.0), HASH_SECRET)
    await store.prepare()
    report = await audited(store, place)
    assert (report.findings, report.records) == ([], [])
    assert set(told) - {"full"} <= {each["body"].get("answer") for each in entries_of(place)}
    await store.close()


async def test_a_log_whose_head_is_gone_takes_nothing_more_in(store: RecordStore, place: Place) -> None:
    await store.add([record()])
    place.query("DELETE FROM audit_head RETURNING 1")
    with pytest.raises(Exception, match=r"IntegrityError|UniqueViolation"):
        await store.add([record()])
    report = await audited(store, place)
    assert report.findings[0].fault == "surplus"
