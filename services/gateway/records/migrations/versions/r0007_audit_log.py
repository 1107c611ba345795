"""The audit log and its head, and when a record's content was erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and a head that says that there is no entry yet; the key is not known here."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "audit_log",
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("key", sa.String(16), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("log", sa.String(32), nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("before", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
        sa.Column("states", sa.Text, nullable=False),
        sa.Column("key", sa.String(16), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
    )
    nothing = {"log": "", "before": "", "mac": "", "states": "{}", "key": "", "seal": ""}
    op.bulk_insert(head, [{"id": 1, "first": 1, "number": 0, **nothing}])
    op.add_column("answers", sa.Column("erased_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Drop them: what is in the log is lost."""
    op.drop_column("answers", "erased_at")
    op.drop_table("audit_head")
    op.drop_table("audit_log")
