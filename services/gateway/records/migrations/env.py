"""Alembic's environment: it migrates with the connection, and in the transaction, that `upgrading` gives it."""

from __future__ import annotations

from alembic import context

from services.gateway.records.migrations.upgrading import VERSION_TABLE
from services.gateway.records.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
