"""The key of an answer's hashes. Those that are there are plain: a gateway, which has the key, keys them afterwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and an index of the answers that lack a key."""
    op.add_column("answers", sa.Column("hash_key", sa.String(16)))
    where = sa.text("hash_key IS NULL")
    op.create_index("answers_plain", "answers", ["id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop them; hashes that were keyed stay so, and are none that versions before know again."""
    op.drop_index("answers_plain", "answers")
    op.drop_column("answers", "hash_key")
