"""`trustvqa audit` and `trustvqa records erase` on a real database and a real gateway."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from services.gateway.database_url import database_url
from services.gateway.records.audit.entry import Kind
from services.gateway.records.connection.database import Database
from services.gateway.records.connection.hash_key import secret_file
from services.gateway.records.entities import Review
from services.gateway.records.erasing import erase
from services.gateway.records.store import RecordStore
from services.gateway.reviews.store import ReviewStore
from tests.services.gateway.records.audit.balp import faults_of
from tests.services.gateway.records.conftest import record
from tests.trustvqa.cli.commands import run_command

ANSWERS = 5


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Records of some answers, reviews and acts."""
    file = tmp_path / "records.db"

    async def fill() -> None:
        store = RecordStore(Database(database_url(f"sqlite:///{file}"), timeout_s=5.0))
        await store.prepare()
        records = [replace(record(), client="203.0.113.7") for _ in range(ANSWERS)]
        await store.add(records)
        await store.give_feedback(records[0].id, Review("Dr. A", right=True))
        await ReviewStore(store).strike([1], "Dr. Admin", None)
        await store.note(Kind.START, {"software": "1"})
        await store.note_state(Kind.KEYS, {"keys": None})
        await store.note(Kind.READ, {"answer": records[0].id, "what": "record", "key": "admins"})
        await erase(store, records[0].id, "Dr. Admin", "admins")
        await store.close()

    asyncio.run(fill())
    return file


ENTRIES = 1 + ANSWERS + 6


def audit(database: Path, *arguments: str | Path, status: int = 0) -> tuple[str, str]:
    command, *rest = arguments
    return run_command(database.parent, "audit", command, "--records", f"sqlite:///{database}", *rest, status=status)


def query(database: Path, statement: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def test_a_whole_log_is_called_so_and_tampering_is_named(database: Path) -> None:
    said, _ = audit(database, "verify")
    assert f"the audit log is whole: {ENTRIES} entries; head {ENTRIES}:" in said
    query(database, "UPDATE audit_log SET body = replace(body, 'Dr. A', 'Dr. B') WHERE kind = 'review'")
    told = json.loads(audit(database, "verify", "--json", status=1)[0])
    assert told["whole"] is False
    assert told["log"] == [{"fault": "changed", "first": ANSWERS + 2, "last": ANSWERS + 2}]
    said, _ = audit(database, "verify", status=1)
    assert f"entry {ANSWERS + 2} is not what was written" in said
    assert "NOT whole" in said


def test_a_record_that_was_changed_is_named(database: Path) -> None:
    ((answer,),) = query(database, "SELECT id FROM answers LIMIT 1")
    query(database, f"UPDATE answers SET decision = 'defer' WHERE id = '{answer}'")  # noqa: S608
    told = json.loads(audit(database, "verify", "--json", status=1)[0])
    assert told["records"] == [{"what": "answer", "name": answer, "fault": "changed"}]
    assert audit(database, "verify", "--log-only")


def test_a_head_that_was_noted_finds_an_earlier_state_put_back(database: Path, tmp_path: Path) -> None:
    earlier = database.read_bytes()

    async def go_on() -> None:
        store = RecordStore(Database(database_url(f"sqlite:///{database}"), timeout_s=5.0))
        await store.add([record()])
        await store.close()

    asyncio.run(go_on())
    head = audit(database, "head")[0].strip()
    assert audit(database, "verify", "--head", head)
    database.write_bytes(earlier)
    assert audit(database, "verify")  # by itself it is whole
    said, _ = audit(database, "verify", "--head", head, status=1)
    assert f"entry {ENTRIES + 1} is not the entry that was noted elsewhere" in said
    assert "a head is a number" in audit(database, "verify", "--head", "nonsense", status=2)[1]


def test_an_export_is_proved_without_the_database(database: Path, tmp_path: Path) -> None:
    file, secret = tmp_path / "log.ndjson", tmp_path / "secret"
    secret.write_text(secret_file(database).read_text())
    text, _ = audit(database, "export", "--format", "ndjson")
    lines = text.splitlines(keepends=True)
    assert len(lines) == 1 + ENTRIES
    for written, status, said in (
        (text, 0, f"whole: {ENTRIES} entries"),
        (text.replace("Dr. A", "Dr. B", 1), 1, f"entry {ANSWERS + 2} is not what was written"),
        ("".join(lines[:4] + lines[5:]), 1, "entry 4 is not there"),
        ("".join(lines[:-1]), 1, f"entry {ENTRIES} is not there"),
        ("".join([*lines[:3], lines[4], lines[3], *lines[5:]]), 1, "entry 3 is not there"),
        (text[:-20], 4, "that is no tampering"),
        ("no export\n", 2, "line 1 is no JSON"),
        ("", 2, "holds no head"),
        ("".join([lines[0], "{}\n"]), 2, "line 2 holds no entry"),
    ):
        file.write_text(written)
        found = run_command(tmp_path, "audit", "verify", "--file", file, "--secret-file", secret, status=status)
        assert said in "".join(found)
    since = json.loads(lines[-1])["at"].removesuffix("Z")
    part, _ = audit(database, "export", "--format", "ndjson", "--since", f"{since[:19]}")
    assert 1 < len(part.splitlines()) < len(lines)
    file.write_text(part)
    assert run_command(tmp_path, "audit", "verify", "--file", file, "--secret-file", secret)


def test_fhir_gets_resources_that_validate_and_hold_no_more_than_the_log(database: Path) -> None:
    text, _ = audit(database, "export", "--format", "fhir")
    events = [AuditEvent.model_validate_json(line) for line in text.splitlines()]
    assert len(events) == ENTRIES
    told = [json.loads(line) for line in text.splitlines()]
    assert [fault for each in told for fault in faults_of(each)] == []
    profiles = {each["meta"]["profile"][0].rpartition(".")[2] for each in told if "meta" in each}
    assert profiles == {"Create", "Update", "Read", "Delete"}
    answer = told[1]
    assert answer["agent"][0]["network"] == {"address": "203.0.113.7", "type": "2"}
    assert answer["subtype"][0]["code"] == "create"
    assert answer["entity"][0]["what"]["identifier"]["value"] == "case-1"
    assert answer["recorded"].startswith("2026-03-01T12:00:00")
    assert len({each.id for each in events}) == ENTRIES


def test_without_the_right_secret_nothing_is_called_whole(database: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("0" * 64)
    said, _ = audit(database, "verify", "--log-only", "--secret-file", wrong, status=1)
    assert "under a key that is not at hand" in said
    secret_file(database).unlink()
    assert audit(database, "verify", status=2)
    assert not secret_file(database).exists()  # a new one would hide that the old one is gone
