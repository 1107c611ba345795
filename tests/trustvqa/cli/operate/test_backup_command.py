"""`trustvqa backup` and `restore`: what comes back is what was there, or nothing is touched."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.common.registry.directory import Registry
from services.gateway.database_url import database_url
from services.gateway.records.connection.database import Database
from services.gateway.records.connection.hash_key import HashKey, secret_file
from services.gateway.records.store import RecordStore
from tests.services.gateway.conftest import make_calibrator
from tests.services.gateway.records.conftest import record
from trustvqa.cli.main import app
from trustvqa.cli.operate.archive import ArchiveWriter
from trustvqa.cli.operate.backup_sources import registry_files

_INSERT = "INSERT INTO acknowledgements (alarm, at, who) VALUES ('a', '2026-01-01 00:00:00', ?)"


class Place:
    """A registry and records, where a gateway would have them."""

    def __init__(self, root: Path) -> None:
        self.registry = Registry(root / "registry")
        self.file = root / "records" / "records.db"

    def fill(self) -> None:
        """Lay in two calibrators, of which the older one is live, a policy, and tables with one row."""
        self.registry.calibrators.publish(make_calibrator("cgp", "policy-1", name="first"))
        self.registry.activate_calibrator("first", who="test")
        self.registry.calibrators.publish(make_calibrator("cgp", "policy-1", name="second"))
        policy = self.registry.root / "policies" / "policy-1"
        policy.mkdir(parents=True)
        (policy / "config.json").write_text("{}")
        (policy / "model.safetensors").write_bytes(bytes(range(256)) * 5000)
        (policy / "deep").mkdir()
        (policy / "deep" / "er.json").write_text("1")
        self.registry.activate_policy("policy-1")
        asyncio.run(migrate(self.file))
        with self.open() as connection:
            connection.execute(_INSERT, ("first",))

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            yield connection

    def state(self) -> dict[str, Any]:
        """Everything that readers of the registry and of the records see."""
        files = {
            str(path.relative_to(self.registry.root)): (path.read_bytes(), path.stat().st_mode & 0o777)
            for path in sorted(self.registry.root.rglob("*"))
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(self.registry.root).parts)
        }
        with self.open() as connection:
            return {"registry": files, "records": "\n".join(connection.iterdump())}

    @property
    def leftovers(self) -> list[Path]:
        folders = (self.registry.root, self.file.parent)
        return [
            path for folder in folders for path in folder.glob("*") if ".restore" in path.name or ".re" in path.name
        ]

    def run(self, *arguments: str) -> Result:
        where = ("--registry", str(self.registry.root), "--records", f"sqlite:///{self.file}")
        return CliRunner().invoke(app, [*arguments, *where])


async def migrate(file: Path) -> None:
    database = Database(database_url(f"sqlite:///{file}"), timeout_s=5)
    await database.migrate()
    await database.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("filled"))
    place.fill()
    return place


@pytest.fixture(scope="module")
def saved(filled: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it."""
    file = tmp_path_factory.mktemp("saved") / "backup.tar"
    done = filled.run("backup", "--out", str(file))
    assert done.exit_code == 0, done.stderr
    return file


def test_what_was_backed_up_comes_back(filled: Place, saved: Path, tmp_path: Path) -> None:
    empty = Place(tmp_path)
    done = empty.run("restore", str(saved))
    assert done.exit_code == 0, done.stderr
    assert "restored: 8 files" in done.stderr
    assert empty.state() == filled.state()
    assert empty.registry.active.policy() == "policy-1"
    assert set(empty.registry.active.calibrators().values()) == {"first"}
    assert empty.leftovers == []
    # Records hold what people wrote.
    assert empty.file.stat().st_mode & 0o777 == 0o600
    assert saved.stat().st_mode & 0o777 == 0o600


def test_it_goes_through_pipes(filled: Place, tmp_path: Path) -> None:
    sent = filled.run("backup", "--out", "-")
    assert sent.exit_code == 0
    empty = Place(tmp_path)
    where = ["--registry", str(empty.registry.root), "--records", f"sqlite:///{empty.file}"]
    done = CliRunner().invoke(app, ["restore", "-", *where], input=sent.stdout_bytes)
    assert done.exit_code == 0, done.stderr
    assert empty.state() == filled.state()


def test_a_backup_tells_what_it_holds_without_being_restored(saved: Path) -> None:
    done = CliRunner().invoke(app, ["restore", "--check", str(saved)])
    assert done.exit_code == 0
    assert "whole: 8 files" in done.stderr
    assert "0 answers and 0 times feedback, tables at r000" in done.stderr


def test_a_backup_names_the_key_of_hashes_and_holds_no_secret(filled: Place, tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    shutil.copytree(filled.registry.root, place.registry.root)

    async def answered() -> None:
        store = RecordStore(Database(database_url(f"sqlite:///{place.file}"), timeout_s=5))
        await store.add([record()])
        await store.close()

    asyncio.run(answered())
    secret = secret_file(place.file).read_text().strip()
    backup = tmp_path / "backup.tar"
    done = place.run("backup", "--out", str(backup))
    assert f"1 answers and 0 times feedback, tables at r0008, hashes under key {HashKey(secret).id}" in done.stderr
    assert secret.encode() not in backup.read_bytes()
    # In place of the records alone: the secret stays what it was.
    assert place.run("restore", str(backup), "--replace").exit_code == 0
    assert secret_file(place.file).read_text().strip() == secret


def test_a_copy_of_records_that_are_written_to_is_of_one_moment(tmp_path: Path) -> None:
    """A writer adds two rows a transaction: no copy holds half of one."""
    place = Place(tmp_path / "place")
    place.fill()
    counts: list[int] = []
    stop = threading.Event()

    def write() -> None:
        with place.open() as connection:
            while not stop.is_set():
                connection.execute("BEGIN IMMEDIATE")
                for _ in range(2):
                    connection.execute(_INSERT, ("pair",))
                connection.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            file = tmp_path / f"{number}.tar"
            assert place.run("backup", "--out", str(file)).exit_code == 0
            other = Place(tmp_path / f"other-{number}")
            assert other.run("restore", str(file)).exit_code == 0
            with other.open() as connection:
                counts.append(
                    connection.execute("SELECT count(*) FROM acknowledgements WHERE who = 'pair'").fetchone()[0]
                )
    finally:
        stop.set()
        writer.join()
    assert all(count % 2 == 0 for count in counts)
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_what_is_live_in_a_copy_is_in_it(tmp_path: Path) -> None:
    """Somebody publishes and activates while the registry is copied: the copy fits together as of before."""
    place = Place(tmp_path)
    place.fill()
    copied: dict[str, bytes] = {}
    for path, content in registry_files(place.registry.root):
        copied[str(path.relative_to(place.registry.root))] = path.read_bytes() if content is None else content
        if len(copied) == 2:  # what is live is read
            place.registry.calibrators.publish(make_calibrator("cgp", "policy-1", name="third"))
            place.registry.activate_calibrator("third", who="test")
    live = json.loads(copied["active.json"])
    assert set(live["calibrators"].values()) == {"first"}
    assert "calibrators/first.json" in copied
    assert [json.loads(line)["name"] for line in copied["activations.jsonl"].splitlines()] == ["first"]


def test_what_is_half_written_is_left_out(filled: Place, tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.fill()
    (place.registry.root / "policies" / ".policy-2.tmp").mkdir()
    (place.registry.root / "policies" / ".policy-2.tmp" / "config.json").write_text("{")
    (place.registry.root / "calibrators" / ".third.json.tmp").write_text("{")
    names = [
        {path.relative_to(each.registry.root) for path, _ in registry_files(each.registry.root)}
        for each in (place, filled)
    ]
    assert names[0] == names[1]
    assert len(names[0]) == 7


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_backup_that_was_cut_off_changes_nothing(filled: Place, saved: Path, tmp_path: Path, part: float) -> None:
    whole = saved.read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: int(len(whole) * part)])
    place = Place(tmp_path / "place")
    place.fill()
    before = place.state()
    done = place.run("restore", str(tmp_path / "cut.tar"), "--replace")
    assert done.exit_code == 2
    assert "cut off" in done.stderr or "not a whole one" in done.stderr
    assert place.state() == before
    assert place.leftovers == []


def test_a_changed_byte_is_noticed_by_name(saved: Path, tmp_path: Path) -> None:
    content = bytearray(saved.read_bytes())
    place = content.index(bytes(range(256)) * 3)
    content[place] ^= 1
    (tmp_path / "spoilt.tar").write_bytes(content)
    done = Place(tmp_path / "place").run("restore", str(tmp_path / "spoilt.tar"))
    assert done.exit_code == 2
    assert "model.safetensors is not what was backed up" in " ".join(done.stderr.split())
    assert not (tmp_path / "place" / "registry" / "active.json").exists()


def test_nothing_is_overwritten_unless_told(saved: Path, tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.fill()
    with place.open() as connection:
        connection.execute(_INSERT, ("later",))
    (place.registry.root / "calibrators" / "later.json").write_text("{}")
    before = place.state()
    refused = place.run("restore", str(saved))
    assert refused.exit_code == 2
    assert "--replace" in refused.stderr
    assert place.state() == before
    assert place.run("restore", str(saved), "--replace").exit_code == 0
    assert not (place.registry.root / "calibrators" / "later.json").exists()
    with place.open() as connection:
        assert connection.execute("SELECT who FROM acknowledgements").fetchall() == [("first",)]
    again = place.run("backup", "--out", str(saved))
    assert again.exit_code == 2
    assert "--replace" in again.stderr


def test_records_in_use_are_not_replaced(saved: Path, tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.fill()
    with place.open() as gateway:
        gateway.execute("PRAGMA journal_mode = WAL")
        gateway.execute(_INSERT, ("in use",))
        done = place.run("restore", str(saved), "--replace")
        assert done.exit_code == 2
        assert "stop the gateway first" in " ".join(done.stderr.split())
        gateway.execute(_INSERT, ("still",))
    with place.open() as connection:
        assert connection.execute("SELECT count(*) FROM acknowledgements").fetchone() == (3,)


def test_broken_records_are_not_backed_up_but_can_be_replaced(filled: Place, saved: Path, tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.fill()
    content = bytearray(place.file.read_bytes())
    content[4096 : 4096 * 6] = b"\xff" * 4096 * 5
    place.file.write_bytes(content)
    refused = place.run("backup", "--out", str(tmp_path / "b.tar"))
    assert refused.exit_code == 2
    assert not (tmp_path / "b.tar").exists()
    assert list(place.file.parent.glob("*backup*")) == []
    assert place.run("restore", str(saved), "--replace").exit_code == 0
    assert place.state() == filled.state()


def test_what_cannot_be_moved_leaves_the_registry_as_it_was(saved: Path, tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.fill()
    before = place.state()
    moved: list[str] = []
    rename = Path.rename

    def refuse_policies(source: Path, target: Path) -> Path:
        if source.name == "policies" and source.parent.name.startswith(".restore-"):
            raise OSError("policies: device or resource busy")
        moved.append(source.name)
        return rename(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", refuse_policies)
        done = place.run("restore", str(saved), "--replace", "--no-records")
    assert done.exit_code == 2
    assert "busy" in done.stderr
    assert moved.count("active.json") == 2  # away, and back
    assert place.state() == before


def test_a_volume_of_its_own_has_a_folder_of_the_file_systems(filled: Place, saved: Path, tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.registry.root / "lost+found").mkdir(parents=True)
    assert place.run("restore", str(saved)).exit_code == 0
    assert place.state() == filled.state()
    assert (place.registry.root / "lost+found").is_dir()


def test_the_copy_of_a_backup_that_was_killed_is_taken_away_later(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.fill()
    old, new = (place.file.parent / f".records.db.backup-{name}" for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    assert place.run("backup", "--out", str(tmp_path / "b.tar")).exit_code == 0
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "registry/../../outside", "other/file"])
def test_what_does_not_belong_into_a_backup_is_refused(tmp_path: Path, name: str) -> None:
    stream = io.BytesIO()
    writer = ArchiveWriter(stream)
    writer.add_bytes(name, b"x", 0o644)
    writer.finish("1", datetime(2026, 1, 1, tzinfo=UTC), None)
    (tmp_path / "evil.tar").write_bytes(stream.getvalue())
    done = Place(tmp_path / "place").run("restore", str(tmp_path / "evil.tar"), "--no-records")
    assert done.exit_code == 2
    assert "does not belong" in " ".join(done.stderr.split())
    assert not (tmp_path / "outside").exists()


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "links.tar", "w") as tar:
        link = tarfile.TarInfo("registry/active.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    done = Place(tmp_path / "place").run("restore", str(tmp_path / "links.tar"))
    assert (done.exit_code, "does not belong" in done.stderr) == (2, True)


def test_records_in_postgres_are_left_to_its_own_programs(filled: Place, tmp_path: Path) -> None:
    where = ["--registry", str(filled.registry.root), "--records", "postgresql://user:secret@host/name"]
    refused = CliRunner().invoke(app, ["backup", "--out", str(tmp_path / "b.tar"), *where])
    assert refused.exit_code == 2
    assert "pg_dump" in refused.stderr
    assert "secret" not in refused.stderr
    done = CliRunner().invoke(app, ["backup", "--out", str(tmp_path / "b.tar"), "--no-records", *where])
    assert done.exit_code == 0
    lacking = Place(tmp_path / "place").run("restore", str(tmp_path / "b.tar"))
    assert lacking.exit_code == 2
    assert "--no-records" in lacking.stderr


def test_places_are_those_of_the_gateway(filled: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_GATEWAY_REGISTRY", str(filled.registry.root))
    monkeypatch.setenv("TRUSTVQA_GATEWAY_RECORDS_URL", f"sqlite:///{filled.file}")
    done = CliRunner().invoke(app, ["backup", "--out", str(tmp_path / "b.tar")])
    assert done.exit_code == 0, done.stderr
    assert "8 files" in done.stderr
