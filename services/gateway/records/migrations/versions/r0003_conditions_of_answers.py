"""The decoding and the preparation of pictures that an answer came from; of answers from before, nothing is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None

_COLUMNS = ("decoding", "picture_preparation")


def upgrade() -> None:
    """Add the columns."""
    for name in _COLUMNS:
        op.add_column("answers", sa.Column(name, sa.Text))


def downgrade() -> None:
    """Drop them, with what they hold."""
    for name in reversed(_COLUMNS):
        op.drop_column("answers", name)
