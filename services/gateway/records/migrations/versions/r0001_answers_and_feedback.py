"""Answers, their pictures where these are kept, and feedback."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None

_DIGEST = sa.String(64)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "answers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("downstream", sa.Text, nullable=False),
        sa.Column("policy", sa.Text),
        sa.Column("estimator", sa.Text, nullable=False),
        sa.Column("answer_template", sa.Text, nullable=False),
        sa.Column("calibrator", sa.Text),
        sa.Column("stated", sa.Float(53)),
        sa.Column("confidence", sa.Float(53)),
        sa.Column("interval_low", sa.Float(53)),
        sa.Column("interval_high", sa.Float(53)),
        sa.Column("signals", sa.JSON, nullable=False),
        sa.Column("atypicality", sa.JSON),
        sa.Column("letters", sa.String(26), nullable=False),
        sa.Column("letter", sa.String(1)),
        sa.Column("has_verdict", sa.Boolean, nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("guarantee", sa.Boolean, nullable=False),
        sa.Column("max_risk", sa.Float(53)),
        sa.Column("threshold", sa.Float(53)),
        sa.Column("guard", sa.Text),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("degraded", sa.JSON, nullable=False),
        sa.Column("policy_ms", sa.Float(53), nullable=False),
        sa.Column("downstream_ms", sa.Float(53), nullable=False),
        sa.Column("total_ms", sa.Float(53), nullable=False),
        sa.Column("image_sha256", _DIGEST, nullable=False),
        sa.Column("question_sha256", _DIGEST, nullable=False),
        sa.Column("options_sha256", _DIGEST, nullable=False),
        sa.Column("guidance_sha256", _DIGEST),
        sa.Column("explanation_sha256", _DIGEST, nullable=False),
        sa.Column("question", sa.Text),
        sa.Column("options", sa.JSON),
        sa.Column("guidance", sa.Text),
        sa.Column("explanation", sa.Text),
    )
    op.create_index("answers_at", "answers", ["at", "id"])
    op.create_table(
        "pictures",
        sa.Column("answer_id", sa.String(36), sa.ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("png", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "feedback",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("answer_id", sa.String(36), sa.ForeignKey("answers.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("correct_option", sa.String(1)),
        sa.Column("correct", sa.Boolean, nullable=False),
        sa.Column("is_first", sa.Boolean, nullable=False),
        sa.Column("is_latest", sa.Boolean, nullable=False),
    )
    op.create_index("feedback_answer_id", "feedback", ["answer_id", "number"])
    op.create_index("feedback_at", "feedback", ["at"])
    for which in ("first", "latest"):
        where = sa.text(f"is_{which}")
        op.create_index(
            f"feedback_{which}", "feedback", ["at", "answer_id"], sqlite_where=where, postgresql_where=where
        )


def downgrade() -> None:
    """Drop them, with all that they hold."""
    for table in ("feedback", "pictures", "answers"):
        op.drop_table(table)
