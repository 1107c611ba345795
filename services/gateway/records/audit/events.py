"""Events of answers and reviews: names, figures and digests, never what was asked or answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Float

from services.gateway.records.audit.chain import ChainKey
from services.gateway.records.audit.entry import AuditedEvent, Kind, canonical, moment
from services.gateway.records.tables import answers, feedback

ERASABLE: Final = ("question", "options", "guidance", "explanation", "reply", "result")
"""Columns of an answer's record that are erased on request. What can be erased is not in the digest of the record."""

_OUTSIDE: Final = frozenset({*ERASABLE, "erased_at"})
_OF_ANSWER: Final = (
    *("downstream", "policy", "estimator", "answer_template", "calibrator", "guard", "decision", "code"),
    *("image_sha256", "question_sha256", "options_sha256"),
)
_OF_REVIEW: Final = ("answer_id", "at", "who", "correct_option", "correct", "key_name")
_FLOATS: Final = frozenset(column.key for column in answers.columns if isinstance(column.type, Float))


def answer_event(row: Mapping[str, Any], client: str, key: ChainKey) -> AuditedEvent:
    """Make the event of an answer.

    Args:
        row: Its row as it is stored, hashes keyed.
        client: Who asked: a key's id, or an address.
        key: The key of digests.
    """
    names = {name: row[name] for name in _OF_ANSWER}
    digests = {"record": record_digest(row, key), "reply": reply_digest(row, key)}
    who = {"answer": row["id"], "request": row["request_id"], "client": client}
    return AuditedEvent(Kind.ANSWER, {**who, **names, **digests}, row["at"])


def review_event(row: Mapping[str, Any], number: int, key: ChainKey) -> AuditedEvent:
    """Make the event of a review; its comment is not in it.

    Args:
        row: The review's row as it is stored.
        number: Its number.
        key: The key of digests.
    """
    body = {
        "review": number,
        "answer": row["answer_id"],
        "who": row["who"],
        "key": row["key_name"],
        "record": review_digest(row, key),
    }
    return AuditedEvent(Kind.REVIEW, body, row["at"])


def record_digest(row: Mapping[str, Any], key: ChainKey) -> str:
    """Compute the digest of an answer's record, but for what can be erased; columns without a value do not count.

    So a column that a later version adds changes no digest of a record from before.

    Args:
        row: The row as it is stored or as it is read: both give the same.
        key: The key of digests.
    """
    return key.digest(canonical(_plain(row, answers.columns.values())))


def reply_digest(row: Mapping[str, Any], key: ChainKey) -> str | None:
    """Compute the digest of what is kept to be told again, the reply and the structured result; None without both."""
    kept = {name: row[name] for name in ("reply", "result") if row.get(name) is not None}
    return key.digest(canonical(kept)) if kept else None


def review_digest(row: Mapping[str, Any], key: ChainKey) -> str:
    """Compute the digest of a review, but for its comment, and for what strikes change."""
    return key.digest(canonical(_plain(row, [feedback.c[name] for name in _OF_REVIEW])))


def _plain(row: Mapping[str, Any], columns: list[Column[Any]]) -> dict[str, Any]:
    names = (column.key for column in columns)
    return {name: _value(name, row[name]) for name in names if name not in _OUTSIDE and row.get(name) is not None}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return moment(value)
    # A database gives 1.0 back where it was given 1.
    return float(value) if name in _FLOATS else value
