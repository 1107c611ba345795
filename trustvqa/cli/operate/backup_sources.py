"""Sources of a backup, copied while services write: SQLite's file as of one moment, and a registry that fits."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trustvqa.cli.errors import CopyError
from trustvqa.cli.operate.archive import RecordsState

_FORGOTTEN_S = 24 * 3600
_UNDER_LOCK = ("active.json", "activations.jsonl")


@contextmanager
def copied_records(file: Path) -> Iterator[tuple[Path, RecordsState]]:
    """Copy a database that others write to, as it is at one moment, by SQLite's own means.

    Args:
        file: The database.

    Yields:
        The copy, beside it, where there is room for it and nobody else may read it; it is gone after the block. What
        it holds.

    Raises:
        CopyError: If it is no database, or a broken one.
    """
    for forgotten in file.parent.glob(f".{file.name}.backup-*"):
        # A backup that was killed could not take its copy away.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - forgotten.stat().st_mtime > _FORGOTTEN_S:
                forgotten.unlink()
    handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.backup-", dir=file.parent)
    os.close(handle)
    copy = Path(temporary)
    try:
        try:
            with (
                contextlib.closing(
                    sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
                ) as source,
                contextlib.closing(sqlite3.connect(copy)) as target,
            ):
                # In one step: in WAL mode this holds up no writer, and sees none.
                source.backup(target)
                state = state_of(target)
        except sqlite3.DatabaseError as error:
            raise CopyError(f"{file} cannot be copied: {error}") from error
        yield copy, state
    finally:
        for leftover in (copy, *(Path(f"{copy}{end}") for end in ("-wal", "-shm", "-journal"))):
            leftover.unlink(missing_ok=True)


def state_of(connection: sqlite3.Connection) -> RecordsState:
    """Check a database of records and count what it holds.

    Raises:
        CopyError: If it is broken or holds no records.
    """
    found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    if found != ["ok"]:
        raise CopyError(f"the records' database is broken: {found[0]}")
    try:
        revisions = [str(row[0]) for row in connection.execute("SELECT version_num FROM records_version")]
        (answers,) = connection.execute("SELECT count(*) FROM answers").fetchone()
        (feedback,) = connection.execute("SELECT count(*) FROM feedback").fetchone()
    except sqlite3.OperationalError as error:
        raise CopyError(f"this is no database of records: {error}") from error
    revision = revisions[0] if revisions else None
    return RecordsState(revision=revision, answers=answers, feedback=feedback, hash_key=_hash_key(connection))


def _hash_key(connection: sqlite3.Connection) -> str | None:
    if "hash_key" not in {row[1] for row in connection.execute("PRAGMA table_info(answers)")}:
        return None  # of a version before
    newest = "SELECT hash_key FROM answers WHERE hash_key IS NOT NULL ORDER BY at DESC, id DESC LIMIT 1"
    found = connection.execute(newest).fetchone()
    return None if found is None else str(found[0])


def registry_files(root: Path) -> Iterator[tuple[Path, bytes | None]]:
    """List what a registry holds, in an order in which copies of it fit together.

    What is live comes first, read under the lock of those who change it: everything that it names is there already,
    since it is published before it is made live, and stays as it is. Names that begin with a dot are half written.

    Args:
        root: The registry's directory.

    Yields:
        A file, and the content of one that may change before it is copied.
    """
    yield from _read_under_lock(root)
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "lost+found")
        for name in sorted(names):
            if not name.startswith(".") and (Path(folder) != root or name not in _UNDER_LOCK):
                yield Path(folder) / name, None


def _read_under_lock(root: Path) -> list[tuple[Path, bytes]]:
    lock = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        return [(path, path.read_bytes()) for name in _UNDER_LOCK if (path := root / name).is_file()]
    finally:
        os.close(lock)
