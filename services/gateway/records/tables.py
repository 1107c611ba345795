"""The tables that answers and feedback are kept in; a change here needs a migration beside the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

ID = 36
"""Characters of an answer's id, a UUID."""


class UtcTime(TypeDecorator[datetime]):
    """A point in time, to the microsecond; SQLite has no zones, so it is written and read as UTC there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Bring a time with a zone to UTC."""
        if value is None:
            return None
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give a time its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonText(TypeDecorator[dict[str, Any]]):
    """An object as the text of its JSON, the same for the same object: unlike JSON itself it can be grouped by."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write the object."""
        return None if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, Any] | None:  # noqa: ARG002
        """Read it."""
        if value is None:
            return None
        found: dict[str, Any] = json.loads(value)
        return found


metadata = MetaData()

_JSON = JSON(none_as_null=True)
_DIGEST = String(64)
_SEAL = 64

answers = Table(
    "answers",
    metadata,
    Column("id", String(ID), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("request_id", String(128)),
    Column("downstream", Text, nullable=False),
    Column("policy", Text),
    Column("estimator", Text, nullable=False),
    Column("answer_template", Text, nullable=False),
    Column("decoding", JsonText),
    Column("picture_preparation", JsonText),
    Column("calibrator", Text),
    Column("stated", Float(53)),
    Column("confidence", Float(53)),
    Column("interval_low", Float(53)),
    Column("interval_high", Float(53)),
    Column("signals", _JSON, nullable=False),
    Column("atypicality", _JSON),
    Column("letters", String(26), nullable=False),  # of the options; empty for an open question
    Column("letter", String(1)),  # of the answer
    Column("has_verdict", Boolean, nullable=False),
    Column("decision", String(16), nullable=False),
    Column("code", String(64), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("guarantee", Boolean, nullable=False),
    Column("max_risk", Float(53)),
    Column("threshold", Float(53)),
    Column("guard", Text),
    Column("groups", _JSON, nullable=False),
    Column("degraded", _JSON, nullable=False),
    Column("policy_ms", Float(53), nullable=False),
    Column("downstream_ms", Float(53), nullable=False),
    Column("total_ms", Float(53), nullable=False),
    Column("image_sha256", _DIGEST, nullable=False),
    Column("question_sha256", _DIGEST, nullable=False),
    Column("options_sha256", _DIGEST, nullable=False),
    Column("guidance_sha256", _DIGEST),
    Column("explanation_sha256", _DIGEST, nullable=False),
    Column("hash_key", String(16)),  # the name of the key of these; None where they are plain
    Column("question", Text),
    Column("options", _JSON),
    Column("guidance", Text),
    Column("explanation", Text),
    Column("erased_at", UtcTime),  # when texts, reply and picture were erased on request
    Column("reply", _JSON),  # of a line of a batch, to be told again; without the texts where these are not kept
    Column("asker", Text),  # the id of the API key or of the token's subject; None where there are none
    Column("source", _JSON),  # the DICOM instance of the picture: identifiers, and nothing of the patient
    Column("result", _JSON),  # what structured forms tell of the answer; where texts are kept
    Index("answers_at", "at", "id"),
    # Empty once the hashes of earlier versions are keyed: to look for some costs nothing then.
    Index("answers_plain", "id", sqlite_where=text("hash_key IS NULL"), postgresql_where=text("hash_key IS NULL")),
)

# In a table of its own: whoever looks through the answers need not step over megabytes.
pictures = Table(
    "pictures",
    metadata,
    Column("answer_id", String(ID), ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True),
    # The column has the name of the days when every file was a PNG: under another, gateways of the version before could
    # not write beside those that are being rolled out.
    Column("png", LargeBinary, key="file", nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    # An INTEGER PRIMARY KEY is what SQLite counts up by itself.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("answer_id", String(ID), ForeignKey("answers.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("comment", Text),
    Column("correct_option", String(1)),
    Column("correct", Boolean, nullable=False),
    Column("is_first", Boolean, nullable=False),
    Column("is_latest", Boolean, nullable=False),
    Column("key_name", Text),  # of the API key; None where there are none
    Column("strike", BigInteger),  # the number of the strike that took it out of the count
    Index("feedback_answer_id", "answer_id", "number"),
    Index("feedback_at", "at"),
    Index("feedback_first", "at", "answer_id", sqlite_where=text("is_first"), postgresql_where=text("is_first")),
    Index("feedback_latest", "at", "answer_id", sqlite_where=text("is_latest"), postgresql_where=text("is_latest")),
)

# What monitoring has made of the stream of reviews, so that it outlives a restart and answers that are forgotten.
monitoring = Table(
    "monitoring",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # there is one row
    Column("seen", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("state", _JSON, nullable=False),
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("alarm", String(12), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text),
)

# What administrators struck out of the count, and what they restored: the newest number says whether anything changed.
strikes = Table(
    "strikes",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text),
    Column("restores", Boolean, nullable=False),
    Column("reviews", _JSON, nullable=False),
)

# Who did what, in a chain: see `records.audit`. Entries are added and pruned, and never changed.
audit_log = Table(
    "audit_log",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", String(27), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("key", String(16), nullable=False),
    Column("mac", String(_SEAL), nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # there is one row, from the migration on
    Column("log", String(32), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("before", String(_SEAL), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("mac", String(_SEAL), nullable=False),
    Column("states", Text, nullable=False),
    Column("key", String(16), nullable=False),
    Column("seal", String(_SEAL), nullable=False),
)
