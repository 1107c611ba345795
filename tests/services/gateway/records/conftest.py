"""Every test of the records runs on SQLite and, where it is installed, on PostgreSQL."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.gateway.database_url import database_url
from services.gateway.records.connection.database import Database
from services.gateway.records.connection.hash_key import secret_file
from services.gateway.records.migrations.upgrading import VERSION_TABLE
from services.gateway.records.record import Record
from services.gateway.records.store import RecordStore
from tests.services.gateway.conftest import HASH_SECRET
from tests.support.calibration_keys import whole_key
from tests.support.postgres import Postgres, running_postgres


@dataclass(frozen=True)
class Place:
    """An empty database, and a way to take it away from those who use it.

    Attributes:
        url: Its address, as a gateway is told.
        away: Makes it unusable for the length of a block.
        query: Runs a statement on it.
    """

    url: str
    away: Callable[[], AbstractContextManager[None]]
    query: Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


# One process for all that needs PostgreSQL: a server is started once.
@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield sqlite_place(tmp_path / "folder" / "records.db")
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as name:
        yield Place(server.url(name), lambda: server.away(name), lambda statement: server.execute(statement, name))


def sqlite_place(file: Path) -> Place:
    @contextlib.contextmanager
    def away() -> Iterator[None]:
        # Another process that does not let go of the file is how SQLite goes away.
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            yield

    def query(statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    return Place(f"sqlite:///{file}", away, query)


def hash_secret(place: Place) -> str:
    """The secret of the hashes of a place that a gateway has used."""
    if place.url.startswith("postgres"):
        return HASH_SECRET
    return secret_file(Path(place.url.removeprefix("sqlite:///"))).read_text().strip()


def keyed(place: Place, content: bytes | str) -> str:
    """The hash that is to be kept of a text or a file, by the standard library's own means."""
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return hmac.new(hash_secret(place).encode(), digest.digest(), hashlib.sha256).hexdigest()


def without_strikes(place: Place) -> None:
    """Take away what a migration added for strikes."""
    place.query("DROP TABLE strikes")
    for column in ("strike", "key_name"):
        place.query(f"ALTER TABLE feedback DROP COLUMN {column}")


def without_audit(place: Place) -> None:
    """Take away what a migration added for the audit log."""
    for table in ("audit_log", "audit_head"):
        place.query(f"DROP TABLE {table}")
    place.query("ALTER TABLE answers DROP COLUMN erased_at")


def without_results(place: Place) -> None:
    """Take away what a migration added for structured results."""
    for column in ("asker", "source", "result"):
        place.query(f"ALTER TABLE answers DROP COLUMN {column}")


def made_plain(place: Place) -> None:
    """Take away what migrations added since hashes are keyed: the tables of a version before."""
    without_results(place)
    without_audit(place)
    place.query("ALTER TABLE answers DROP COLUMN reply")
    without_strikes(place)
    place.query("DROP INDEX answers_plain")
    place.query("ALTER TABLE answers DROP COLUMN hash_key")
    place.query(f"UPDATE {VERSION_TABLE} SET version_num = 'r0003' RETURNING 1")  # noqa: S608


@pytest.fixture
async def store(place: Place) -> AsyncIterator[RecordStore]:
    """A store on that database, its clock at the tests' disposal."""
    made = RecordStore(Database(database_url(place.url), timeout_s=2.0), HASH_SECRET)
    await made.prepare()
    yield made
    await made.close()


def record(**changes: Any) -> Record:
    """An answer as it is kept, with changes."""
    digest = "0" * 64
    row: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "at": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "request_id": "case-1",
        **whole_key(
            downstream="model-1", policy="policy-1", estimator="cgp", answer_template="answer-compact@1"
        ).model_dump(mode="json"),
        "calibrator": "platt-cgp",
        "stated": 0.95,
        "confidence": 0.7,
        "interval_low": None,
        "interval_high": None,
        "signals": {"agreement": 0.5},
        "atypicality": None,
        "letters": "ABC",
        "letter": "B",
        "has_verdict": True,
        "decision": "answer",
        "code": "confident-enough",
        "rule": "risk-control",
        "guarantee": True,
        "max_risk": 0.1,
        "threshold": 0.5,
        "guard": "guard-cgp",
        "groups": {"modality": "CT"},
        "degraded": [],
        "policy_ms": 1.0,
        "downstream_ms": 2.0,
        "total_ms": 3.0,
        "image_sha256": digest,
        "question_sha256": digest,
        "options_sha256": digest,
        "guidance_sha256": None,
        "explanation_sha256": digest,
        "question": None,
        "options": None,
        "guidance": None,
        "explanation": None,
    }
    picture = changes.pop("picture", None)
    return Record({**row, **changes}, picture)
