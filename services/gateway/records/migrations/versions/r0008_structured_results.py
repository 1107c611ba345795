"""Structured results: who asked, which DICOM instance was asked about, and what is told of the answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0008"
down_revision = "r0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; nobody knows any more who asked before, and answers from before have no structured form."""
    op.add_column("answers", sa.Column("asker", sa.Text))
    op.add_column("answers", sa.Column("source", sa.JSON))
    op.add_column("answers", sa.Column("result", sa.JSON))


def downgrade() -> None:
    """Drop them."""
    for name in ("result", "source", "asker"):
        op.drop_column("answers", name)
