"""A private PostgreSQL server for tests, from the packages of the distribution."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.waiting import wait_until

_DEBIAN = Path("/usr/lib/postgresql")


def postgres_programs() -> Path | None:
    """Folder with initdb and postgres, the newest version's, or None where they are not installed."""
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@dataclass(frozen=True)
class Postgres:
    """A running server that listens on a Unix socket alone.

    Attributes:
        folder: Where its socket is.
    """

    folder: Path

    def url(self, database: str) -> str:
        """Address of one of its databases, as gateways are told."""
        return f"postgresql://tester@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement outside of any transaction."""
        with psycopg.connect(
            host=str(self.folder), user="tester", dbname=database, autocommit=True, connect_timeout=10
        ) as connection:
            found = connection.execute(statement)
            return list(found.fetchall()) if found.description else []

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """An empty database for the length of a block; its name."""
        name = f"t{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextlib.contextmanager
    def away(self, database: str) -> Iterator[None]:
        """Nobody reaches a database for the length of a block; who was connected is cut off."""
        self.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")  # noqa: S608
        try:
            yield
        finally:
            self.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Serve PostgreSQL from a folder of its own until the block ends; skip the test where it is not installed."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # It refuses to run as root; a socket's path may have some 100 characters only, so pytest's folders will not do.
    owner: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.getuid() == 0:
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    try:
        data = folder / "data"
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            capture_output=True,
            text=True,
            cwd=folder,
            **owner,
        )
        assert made.returncode == 0, made.stderr
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    *(programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="),
                    *("-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "autovacuum=off"),
                ],
                stdout=log,
                stderr=log,
                cwd=folder,
                **owner,
            )
        try:
            postgres = Postgres(folder)

            def answers() -> bool:
                assert server.poll() is None, (folder / "log").read_text()
                with contextlib.suppress(psycopg.OperationalError):
                    return bool(postgres.execute("SELECT 1"))
                return False

            wait_until(answers)
            yield postgres
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
