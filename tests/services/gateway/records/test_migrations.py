"""The tables as migrations make them are those that the code works with; on SQLite and PostgreSQL."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from services.gateway.app import create_gateway
from services.gateway.database_url import database_url
from services.gateway.records.__main__ import look_after, main
from services.gateway.records.connection.database import Database
from services.gateway.records.errors import RecordsAwayError
from services.gateway.records.migrations.upgrading import VERSION_TABLE, NewerDatabaseError
from services.gateway.records.store import RecordStore
from services.gateway.records.tables import metadata
from services.gateway.settings import GatewaySettings
from tests.services.gateway.conftest import HASH_SECRET
from tests.services.gateway.records.conftest import Place, made_plain, record
from tests.support.servers import free_port

ROOT = Path(__file__).resolve().parents[4]


def differences(connection: Connection) -> object:
    options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


async def test_migrations_make_the_tables_that_the_code_knows_and_may_run_again(place: Place) -> None:
    database = Database(database_url(place.url), timeout_s=5.0)
    await database.migrate()
    before = place.query(f"SELECT * FROM {VERSION_TABLE}")  # noqa: S608
    await database.migrate()
    assert place.query(f"SELECT * FROM {VERSION_TABLE}") == before  # noqa: S608
    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_answers_of_an_earlier_revision_stay_and_say_nothing_of_their_decoding(place: Place) -> None:
    database = Database(database_url(place.url), timeout_s=5.0)
    store = RecordStore(database, HASH_SECRET)
    kept = record()
    await store.add([kept])
    made_plain(place)
    for column in ("decoding", "picture_preparation"):
        place.query(f"ALTER TABLE answers DROP COLUMN {column}")
    place.query(f"UPDATE {VERSION_TABLE} SET version_num = 'r0002' RETURNING 1")  # noqa: S608
    await store.close()
    upgraded = RecordStore(Database(database_url(place.url), timeout_s=5.0), HASH_SECRET)
    row = (await upgraded.get(kept.id)).row
    assert (row["estimator"], row["decoding"], row["picture_preparation"]) == ("cgp", None, None)
    await upgraded.close()


async def test_several_gateways_may_migrate_an_empty_database_at_once(place: Place) -> None:
    stores = [
        RecordStore(Database(database_url(place.url), timeout_s=10.0), HASH_SECRET, deadline_s=20) for _ in range(4)
    ]
    async with anyio.create_task_group() as tasks:
        for store in stores:
            tasks.start_soon(store.prepare)
    for store in stores:
        await store.add([record()])
    assert place.query("SELECT count(*) FROM answers") == [(4,)]
    for store in stores:
        await store.close()


async def test_a_database_of_a_newer_version_is_left_alone(place: Place, tmp_path: Path) -> None:
    store = RecordStore(Database(database_url(place.url), timeout_s=5.0), HASH_SECRET)
    await store.add([record()])
    await store.close()
    place.query(f"UPDATE {VERSION_TABLE} SET version_num = 'r9999' RETURNING 1")  # noqa: S608
    settings = GatewaySettings(
        records_url=place.url, record_hash_secret=HASH_SECRET, registry=tmp_path, shipped=tmp_path
    )
    app = create_gateway(settings)
    with pytest.raises(NewerDatabaseError, match=r"revision r9999.*a newer version has used it"):
        async with app.router.lifespan_context(app):
            pass
    assert place.query("SELECT count(*) FROM answers") == [(1,)]


def command(action: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.gateway.records", action],
        cwd=ROOT,
        env={**os.environ, "TRUSTVQA_GATEWAY_RECORDS_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("action", ["upgrade", "hash"])
def test_settings_that_cannot_be_used_end_the_command_with_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["records", action])
    monkeypatch.setenv("TRUSTVQA_GATEWAY_MAX_RISK", "abc")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "TRUSTVQA_GATEWAY_MAX_RISK: Input should be a valid number" in capsys.readouterr().err


async def test_tables_are_made_by_the_command_where_gateways_may_not(place: Place, tmp_path: Path) -> None:
    settings = GatewaySettings(
        records_url=place.url,
        record_hash_secret=HASH_SECRET,
        records_upgrade=False,
        registry=tmp_path,
        shipped=tmp_path,
    )
    database = Database(database_url(place.url), timeout_s=10.0, upgrades=settings.records_upgrade)
    store = RecordStore(database, HASH_SECRET, deadline_s=20)
    with pytest.raises(RecordsAwayError, match=r"is at revision none|no file of records yet"):
        await store.add([record()])
    app = create_gateway(settings)
    async with app.router.lifespan_context(app):  # it starts, and goes without records for now
        assert app.state.gateway.records.state().ok is False
    assert (await look_after(settings, upgrades=False))[0] == 3
    assert (await look_after(settings, upgrades=True))[0] == 0
    assert (await look_after(settings, upgrades=True))[0] == 0
    assert (await look_after(settings, upgrades=False))[0] == 0
    await store.add([record()])
    await store.close()
    place.query(f"UPDATE {VERSION_TABLE} SET version_num = 'r9999' RETURNING 1")  # noqa: S608
    status, said = await look_after(settings, upgrades=True)
    assert (status, "r9999" in said) == (2, True)


async def test_where_no_records_are_kept_there_is_nothing_to_do(tmp_path: Path) -> None:
    status, said = await look_after(GatewaySettings(records_url="", registry=tmp_path, shipped=tmp_path), upgrades=True)
    assert (status, "no records are kept" in said) == (0, True)


def test_the_command_says_that_it_reaches_no_database_and_gives_no_password_away(tmp_path: Path) -> None:
    away = command("upgrade", f"postgresql://user:hunter2@127.0.0.1:{free_port()}/name")
    assert away.returncode == 1
    assert "cannot be used" in away.stderr
    assert "hunter2" not in away.stderr + away.stdout
    records = f"sqlite:///{tmp_path}/records.db"
    for action, status in (("check", 3), ("upgrade", 0)):
        assert command(action, records).returncode == status


async def test_a_file_of_answers_is_its_owner_s_alone(tmp_path: Path) -> None:
    file = tmp_path / "new folder 100%" / "records.db"
    database = Database(database_url(f"sqlite:///{file}"), timeout_s=5.0)
    await database.migrate()

    def look(_: Connection) -> None:
        assert {path.name for path in file.parent.iterdir()} >= {"records.db", "records.db-wal"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()} == {0o600}

    await database.write(look)
    await database.close()


@pytest.mark.parametrize(
    "url",
    ["records.db", "mysql://host/name", "sqlite://", "sqlite:///:memory:", "postgresql://user:hunter2@host:port/name"],
)
def test_addresses_that_cannot_be_meant_are_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="records_url") as refused:
        GatewaySettings(records_url=url)
    assert "hunter2" not in str(refused.value)


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(GatewaySettings(records_url="postgres://user:hunter2@host/name"))
