"""Hashes of what was asked are kept under a secret: who has the records alone finds nothing by trying."""

from __future__ import annotations

import hashlib
import stat
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import structlog

from services.gateway.app import create_gateway
from services.gateway.database_url import database_url
from services.gateway.intake.idempotency import HEADER
from services.gateway.records.__main__ import hash_of
from services.gateway.records.connection.database import Database
from services.gateway.records.connection.hash_key import HASHES, HashKey, find_hash_key, secret_file
from services.gateway.records.entities import Review, Slice
from services.gateway.records.errors import HashSecretError, OtherQuestionError, RecordsAwayError
from services.gateway.records.record import IDENTITY, Record
from services.gateway.records.store import RecordStore
from services.gateway.settings import GatewaySettings
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import HASH_SECRET, MakeGateway
from tests.services.gateway.records.conftest import Place, hash_secret, keyed, made_plain, record, sqlite_place
from tests.services.gateway.upstream import VERDICT, Upstream
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[4]
OTHER = "another secret: fedcba9876543210fedcba9876543210"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def asked(question: str = "Is there a fracture?", **changes: Any) -> Record:
    return record(**{name: digest(f"{name} {question}") for name in HASHES}, **changes)


def identity(kept: Record) -> dict[str, Any]:
    return {name: kept.row[name] for name in IDENTITY}


def store_at(place: Place, secret: str | None = HASH_SECRET) -> RecordStore:
    return RecordStore(Database(database_url(place.url), timeout_s=5.0), secret, deadline_s=20)


def hashes(place: Place) -> list[tuple[Any, ...]]:
    return place.query(f"SELECT {', '.join(HASHES)}, hash_key FROM answers ORDER BY id")  # noqa: S608


def test_a_key_depends_on_every_character_and_its_name_tells_nothing_of_it() -> None:
    keys = [HashKey(secret) for secret in (HASH_SECRET, OTHER, HASH_SECRET + " ")]
    assert len({key.id for key in keys}) == len({key.of("00" * 32) for key in keys}) == 3
    assert keys[0].of("00" * 32) != keys[0].of("00" * 31 + "01")
    assert HASH_SECRET not in repr(keys[0])
    with pytest.raises(HashSecretError, match="fewer than 32 characters"):
        HashKey("hunter2" * 4)


def test_a_short_secret_is_a_setting_that_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match="record_hash_secret") as refused:
        GatewaySettings(record_hash_secret="hunter2")
    assert "hunter2" not in str(refused.value)
    assert GatewaySettings(record_hash_secret="").record_hash_secret is None


async def test_beside_sqlites_file_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    place = sqlite_place(tmp_path / "records.db")
    stores = [store_at(place, None) for _ in range(4)]
    async with anyio.create_task_group() as tasks:
        for store in stores:
            tasks.start_soon(store.prepare)
    for store in stores:
        await store.add([asked()])
        await store.close()
    file = secret_file(tmp_path / "records.db")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(bytes.fromhex(file.read_text())) == 32
    assert len(set(hashes(place))) == 1
    question = digest("question_sha256 Is there a fracture?")
    assert hashes(place)[0][1] == HashKey(file.read_text().strip()).of(question)
    assert all(question not in str(row) for row in hashes(place))


async def test_postgresql_needs_a_secret_and_a_gateway_without_one_does_not_start(place: Place, tmp_path: Path) -> None:
    app = create_gateway(GatewaySettings(records_url=place.url, registry=tmp_path, shipped=tmp_path))
    if place.url.startswith("sqlite"):
        async with app.router.lifespan_context(app):
            assert hash_secret(place)
        return
    with pytest.raises(HashSecretError, match="TRUSTVQA_GATEWAY_RECORD_HASH_SECRET"):
        async with app.router.lifespan_context(app):
            pass


async def test_a_file_without_a_secret_is_an_error_and_not_a_new_secret(tmp_path: Path) -> None:
    place, file = sqlite_place(tmp_path / "records.db"), secret_file(tmp_path / "records.db")
    file.write_text("\n")
    store = store_at(place, None)
    with pytest.raises(HashSecretError, match=r"records\.db\.hash-secret holds no secret: bring it back, or delete it"):
        await store.prepare()
    await store.close()
    assert file.read_text() == "\n"


async def test_records_wait_where_the_secret_cannot_be_read(tmp_path: Path) -> None:
    place, file = sqlite_place(tmp_path / "records.db"), secret_file(tmp_path / "records.db")
    file.mkdir()
    store = store_at(place, None)
    with pytest.raises(RecordsAwayError, match="IsADirectoryError"):
        await store.add([asked()])
    assert place.query("SELECT count(*) FROM answers") == [(0,)]
    file.rmdir()
    await store.add([asked()])
    await store.close()
    assert place.query("SELECT count(*) FROM answers") == [(1,)]


async def test_hashes_of_a_version_before_are_keyed_without_the_texts(place: Place) -> None:
    before = store_at(place)
    old, without_guidance = asked(), record(id=str(uuid.uuid4()))
    await before.add([old, without_guidance])
    await before.close()
    made_plain(place)
    for kept in (old, without_guidance):
        for name in HASHES:
            value = "NULL" if kept.row[name] is None else f"'{kept.row[name]}'"
            place.query(f"UPDATE answers SET {name} = {value} WHERE id = '{kept.id}' RETURNING 1")  # noqa: S608
    store = store_at(place)
    # Until they are keyed, the same question is known again and another is not taken for it.
    await store.check_repeated(old.id, identity(old))
    with pytest.raises(OtherQuestionError):
        await store.check_repeated(without_guidance.id, identity(old))
    assert await store.key_hashes(1) == 0  # to ask for them has keyed both
    place.query("UPDATE answers SET hash_key = NULL RETURNING 1")
    assert [await store.key_hashes(1) for _ in range(3)] == [1, 1, 0]
    await store.close()
    assert place.query("SELECT count(*) FROM answers WHERE hash_key IS NULL") == [(0,)]


async def test_a_picture_has_the_same_mark_before_and_after_its_hash_is_keyed(place: Place) -> None:
    store = store_at(place)
    await store.prepare()
    kept, other = asked(), record(image_sha256=digest("another picture"))
    await store.add([kept, other])
    for each in (kept, other):
        await store.give_feedback(each.id, Review("dr. x", right=True))
    keyed_marks = [each.picture for each in await store.export(Slice())]
    plain = f"image_sha256 = '{kept.row['image_sha256']}', hash_key = NULL"
    place.query(f"UPDATE answers SET {plain} WHERE id = '{kept.id}' RETURNING 1")  # noqa: S608
    assert [each.picture for each in await store.export(Slice())] == keyed_marks
    assert len(set(keyed_marks)) == 2
    await store.close()


def test_a_gateway_keys_what_is_plain_as_it_starts(place: Place, make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        key = str(uuid.uuid4())
        first = client.post("/vqa", json=body(), headers={HEADER: key}).json()
    plain = {"explanation_sha256": digest(VERDICT), "question_sha256": digest("Which shape?")}
    for name, value in plain.items():
        place.query(f"UPDATE answers SET {name} = '{value}', hash_key = NULL RETURNING 1")  # noqa: S608
    with make_gateway(records_url=place.url):
        wait_until(lambda: place.query("SELECT count(*) FROM answers WHERE hash_key IS NULL") == [(0,)])
    found = place.query("SELECT explanation_sha256, question_sha256 FROM answers")
    assert found == [(keyed(place, VERDICT), keyed(place, "Which shape?"))]
    assert first["recorded"] is True


async def test_what_a_gateway_of_the_version_before_stored_is_replaced_when_it_is_asked_again(place: Place) -> None:
    store, old = store_at(place), asked()
    await store.add([old])
    for name in HASHES:
        place.query(f"UPDATE answers SET {name} = '{old.row[name]}', hash_key = NULL RETURNING 1")  # noqa: S608
    await store.check_repeated(old.id, identity(old))
    await store.add([Record({**old.row, "letter": "C"})])
    assert place.query("SELECT letter FROM answers") == [("C",)]
    await store.close()


async def test_under_another_secret_nothing_is_taken_for_the_same_question(place: Place) -> None:
    first, kept = store_at(place), asked()
    await first.add([kept])
    await first.close()
    with structlog.testing.capture_logs() as said:
        second = store_at(place, OTHER)
        with pytest.raises(OtherQuestionError):
            await second.check_repeated(kept.id, identity(kept))
    assert [(line["log_level"], line["newest"], line["own"]) for line in said] == [
        ("error", HashKey(HASH_SECRET).id, HashKey(OTHER).id)
    ]
    await second.add([Record({**kept.row, "letter": "C"})])
    assert place.query("SELECT letter, hash_key FROM answers") == [("B", HashKey(HASH_SECRET).id)]
    assert await second.key_hashes(10) == 0
    await second.close()
    with structlog.testing.capture_logs() as said:
        third = store_at(place)
        await third.prepare()
    await third.close()
    assert said == []


async def test_both_ways_to_give_a_secret_make_the_same_key(tmp_path: Path) -> None:
    database = Database(database_url(f"sqlite:///{tmp_path}/records.db"), timeout_s=5.0)
    await database.migrate()
    made = await find_hash_key(database, None)
    assert made.id == (await find_hash_key(database, secret_file(tmp_path / "records.db").read_text().strip())).id
    assert made.id == (await find_hash_key(database, None)).id
    await database.close()


def test_who_has_the_secret_finds_what_is_kept_of_a_text(tmp_path: Path) -> None:
    place = sqlite_place(tmp_path / "records.db")
    text = "Wo ist die Läsion?"
    status, said = anyio.run(hash_of, text.encode(), GatewaySettings(records_url=place.url))
    assert (status, "there is no secret yet" in said) == (4, True)
    secret_file(tmp_path / "records.db").write_text(HASH_SECRET)
    key = HashKey(HASH_SECRET)
    done = subprocess.run(
        [sys.executable, "-m", "services.gateway.records", "hash"],
        input=text.encode(),
        cwd=ROOT,
        env={"TRUSTVQA_GATEWAY_RECORDS_URL": place.url},
        capture_output=True,
        timeout=60,
    )
    assert done.stdout.decode().split() == [key.id, keyed(place, text)]
