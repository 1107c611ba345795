"""Brings a database's tables to what this version of the software works with."""

from __future__ import annotations

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
    config = _config(connection)
    _refuse_newer(connection, config)
    command.upgrade(config, "head")


def check(connection: Connection) -> None:
    """See that the database needs no migration.

    Args:
        connection: Any; nothing is changed.

    Raises:
        OlderDatabaseError: If it does.
        NewerDatabaseError: If the database is at a revision that is not known here.
    """
    config = _config(connection)
    _refuse_newer(connection, config)
    found, wanted = current(connection), ScriptDirectory.from_config(config).get_heads()
    if set(found) != set(wanted):
        raise OlderDatabaseError(
            f"the records' database is at revision {', '.join(found) or 'none'} and this version of the software works "
            f"with {', '.join(wanted)}: python -m services.gateway.records upgrade"
        )


def current(connection: Connection) -> tuple[str, ...]:
    """Name the revisions that a database is at; none where it is empty."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_heads()


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _refuse_newer(connection: Connection, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if unknown := set(current(connection)) - known:
        raise NewerDatabaseError(
            f"the records' database is at revision {', '.join(sorted(unknown))}, which this version of the software "
            "does not know: a newer version has used it. Run that version, or name another database in records_url"
        )
