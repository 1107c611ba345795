"""The listener's state in a SQLite file: each instance and rule once, whenever the process ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from services.common.pacs.archive import InstanceReference


class Stage(StrEnum):
    """Stage of a job: found, answered (the report is there and not yet stored), and one of two ends."""

    FOUND = "found"
    ANSWERED = "answered"
    STORED = "stored"
    GIVEN_UP = "given-up"


OPEN: Final = (Stage.FOUND, Stage.ANSWERED)

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS jobs (
    sop_instance_uid TEXT NOT NULL,
    rule TEXT NOT NULL,
    digest TEXT NOT NULL,
    study_uid TEXT NOT NULL,
    series_uid TEXT NOT NULL,
    stage TEXT NOT NULL,
    report BLOB,
    reason TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    found_at REAL NOT NULL,
    next_at REAL NOT NULL,
    PRIMARY KEY (sop_instance_uid, rule, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (stage, next_at);
"""


@dataclass(frozen=True, slots=True)
class InstanceJob:
    """A question of a rule about an instance.

    Attributes:
        instance: The instance.
        rule: The rule's name.
        digest: Hash of what it asks.
        stage: How far it is.
        report: The report, between its answer and its storing; without patient and study.
        attempts: Tries since it came to its stage.
        found_at: When it was found, in seconds since 1970; 0 where it is being added.
    """

    instance: InstanceReference
    rule: str
    digest: str
    stage: Stage
    report: bytes | None
    attempts: int
    found_at: float = 0.0

    @property
    def identity(self) -> tuple[str, str, str]:
        """Identity of the job, by which it is known again."""
        return self.instance.sop_instance_uid, self.rule, self.digest


class State:
    """The file. Its methods block for some milliseconds; each is one transaction that outlives a power cut.

    Args:
        file: The file; it is made, for its owner alone.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_TABLES)

    def add(self, jobs: list[InstanceJob], now: float) -> int:
        """Note jobs, all but those that are known; return how many were new."""
        rows = [
            (*job.identity, job.instance.study_uid, job.instance.series_uid, Stage.FOUND.value, now, now)
            for job in jobs
        ]
        with self._open() as connection:
            before = connection.total_changes
            connection.executemany(
                "INSERT INTO jobs (sop_instance_uid, rule, digest, study_uid, series_uid, stage, found_at, next_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                rows,
            )
            return connection.total_changes - before

    def due(self, now: float, limit: int) -> list[InstanceJob]:
        """List open jobs whose time has come, the longest waiting first."""
        query = (
            "SELECT study_uid, series_uid, sop_instance_uid, rule, digest, stage, report, attempts, found_at FROM jobs "
            "WHERE stage IN (?, ?) AND next_at <= ? ORDER BY next_at, sop_instance_uid, rule LIMIT ?"
        )
        with self._open() as connection:
            rows = connection.execute(query, (*OPEN, now, limit)).fetchall()
        return [InstanceJob(InstanceReference(*row[:3]), row[3], row[4], Stage(row[5]), *row[6:]) for row in rows]

    def answered(self, job: InstanceJob, report: bytes, now: float) -> None:
        """Note that a job is answered."""
        self._change(job, "stage = ?, report = ?, attempts = 0, next_at = ?", (Stage.ANSWERED.value, report, now))

    def stored(self, job: InstanceJob) -> None:
        """Note that a job's report is stored; the report is forgotten here."""
        self._change(job, "stage = ?, report = NULL, reason = NULL", (Stage.STORED.value,))

    def given_up(self, job: InstanceJob, reason: str) -> None:
        """Note that nothing will come of a job."""
        self._change(job, "stage = ?, report = NULL, reason = ?", (Stage.GIVEN_UP.value, reason))

    def postponed(self, job: InstanceJob, reason: str, next_at: float) -> None:
        """Note that a try has failed, and when the next one is due."""
        self._change(job, "attempts = attempts + 1, reason = ?, next_at = ?", (reason, next_at))

    def counts(self) -> dict[Stage, int]:
        """Count jobs by stage."""
        with self._open() as connection:
            found = dict(connection.execute("SELECT stage, count(*) FROM jobs GROUP BY stage").fetchall())
        return {stage: found.get(stage.value, 0) for stage in Stage}

    def has_open(self, count: int) -> bool:
        """Whether so many jobs are open, or more; those that have ended are not looked at."""
        query = "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE stage IN (?, ?) LIMIT ?)"
        with self._open() as connection:
            return int(connection.execute(query, (*OPEN, count)).fetchone()[0]) >= count

    def is_open(self, sop_instance_uid: str) -> bool:
        """Whether anything about an instance is still to be done."""
        query = "SELECT 1 FROM jobs WHERE sop_instance_uid = ? AND stage IN (?, ?) LIMIT 1"
        with self._open() as connection:
            return connection.execute(query, (sop_instance_uid, *OPEN)).fetchone() is not None

    def forget(self, before: float) -> int:
        """Forget jobs that ended and were found before a time; return how many."""
        with self._open() as connection:
            done = connection.execute("DELETE FROM jobs WHERE stage NOT IN (?, ?) AND found_at < ?", (*OPEN, before))
            return done.rowcount

    def _change(self, job: InstanceJob, what: str, values: tuple[object, ...]) -> None:
        # The stage as it was read: a job that somebody else has brought on is left as it is.
        statement = f"UPDATE jobs SET {what} WHERE sop_instance_uid = ? AND rule = ? AND digest = ? AND stage = ?"  # noqa: S608
        with self._open() as connection:
            connection.execute(statement, (*values, *job.identity, job.stage.value))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=10.0)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            # Reports that are stored elsewhere leave nothing behind.
            connection.execute("PRAGMA secure_delete = ON")
            with connection:
                yield connection
