"""The replies of batches' lines, to be told again where a line is sent again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("answers", sa.Column("reply", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    """Drop it; lines that are sent again are then answered anew."""
    op.drop_column("answers", "reply")
