"""Brings a database's tables to what this version of the software works with."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

VERSION_TABLE = "records_version"
"""Of our own name: a database that is shared with other software may have its `alembic_version`."""


class NewerDatabaseError(Exception):
    """The database was made by a later version of the software; this one could only spoil it."""


class OlderDatabaseError(Exception):
    """The tables are not yet what this version of the software works with."""


def upgrade(connection: Connection) -> None:
    """Run the migrations that the database lacks.

    Args:
        connection: In a transaction beside which nobody else can run migrations; the caller commits it.

    Raises:
        NewerDatabaseError: If the database is at a revision that is not known here.
    """
    _, newest = _revisions()
    if set(_known_or_refused(connection)) != newest:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check(connection: Connection) -> None:
    """See that the database needs no migration.

    Args:
        connection: Any; nothing is changed.

    Raises:
        OlderDatabaseError: If it does.
        NewerDatabaseError: If the database is at a revision that is not known here.
    """
    found, (_, wanted) = _known_or_refused(connection), _revisions()
    if set(found) != wanted:
        raise OlderDatabaseError(
            f"the records' database is at revision {', '.join(found) or 'none'} and this version of the software works "
            f"with {', '.join(sorted(wanted))}: python -m services.gateway.records upgrade"
        )


def current(connection: Connection) -> tuple[str, ...]:
    """Name the revisions that a database is at; none where it is empty."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_heads()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


@cache
def _revisions() -> tuple[frozenset[str], frozenset[str]]:
    """All revisions that are known here, and the newest; their files are read once in a process."""
    scripts = ScriptDirectory.from_config(_config())
    return frozenset(each.revision for each in scripts.walk_revisions()), frozenset(scripts.get_heads())


def _known_or_refused(connection: Connection) -> tuple[str, ...]:
    """Name the revisions that a database is at, if all are known here."""
    found, (known, _) = current(connection), _revisions()
    if unknown := set(found) - known:
        raise NewerDatabaseError(
            f"the records' database is at revision {', '.join(sorted(unknown))}, which this version of the software "
            "does not know: a newer version has used it. Run that version, or name another database in records_url"
        )
    return found
