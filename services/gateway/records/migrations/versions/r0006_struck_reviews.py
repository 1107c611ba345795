"""Strikes: reviews that an administrator took out of the count; and the key by which a review came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and add the columns; nothing that is there was struck."""
    op.create_table(
        "strikes",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("restores", sa.Boolean, nullable=False),
        sa.Column("reviews", sa.JSON, nullable=False),
    )
    op.add_column("feedback", sa.Column("key_name", sa.Text))
    op.add_column("feedback", sa.Column("strike", sa.BigInteger))


def downgrade() -> None:
    """Drop them; struck reviews stay out of the count, since neither first nor latest of their answers."""
    op.drop_column("feedback", "strike")
    op.drop_column("feedback", "key_name")
    op.drop_table("strikes")
