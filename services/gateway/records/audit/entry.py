"""Entries of the audit log, and the text by which each is sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Subject of an entry.

    `begin` opens a log. `start` is a gateway process with its settings; `registry` and `keys` are what it then found
    live, whoever changed it. `answer` is a reply of any decision. `review`, `strike`, `restore` and `acknowledge` are
    people's words. `activate` and `retire` are of calibrators. `read` is an administrator's look at records. `erase`
    is of one record's content, `prune-records` and `prune-log` are of what became too old.
    """

    BEGIN = "begin"
    START = "start"
    REGISTRY = "registry"
    KEYS = "keys"
    ANSWER = "answer"
    REVIEW = "review"
    STRIKE = "strike"
    RESTORE = "restore"
    ACKNOWLEDGE = "acknowledge"
    ACTIVATE = "activate"
    RETIRE = "retire"
    READ = "read"
    ERASE = "erase"
    PRUNE_RECORDS = "prune-records"
    PRUNE_LOG = "prune-log"


@dataclass(frozen=True, slots=True)
class AuditedEvent:
    """Something that an entry is to be made of.

    Attributes:
        kind: What it is about.
        body: JSON values; no patient data, and nothing that could have to be erased.
        at: When it was, with its zone.
    """

    kind: Kind
    body: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry as it is stored.

    Attributes:
        number: Its place in the log; the first ever is 1.
        at: When it was, as ISO 8601 in UTC to the microsecond. Text, so that what is sealed is what is stored.
        kind: One of `Kind`, unless a later version wrote it.
        body: An object as canonical JSON.
        key: Name of the key that it is sealed under.
        mac: Its seal, which covers the seal of the entry before it: 64 hexadecimal digits.
    """

    number: int
    at: str
    kind: str
    body: str
    key: str
    mac: str


def canonical(value: Any) -> str:
    """Write a JSON value in the one way that equal values are written in: keys sorted, no spaces, ASCII alone.

    Example:
        >>> canonical({"b": 1.0, "a": [None, "x"]})
        '{"a":[null,"x"],"b":1.0}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def moment(at: datetime) -> str:
    """Write a time as entries have it: of equal length for all, so that texts sort as times do.

    Example:
        >>> moment(datetime(2026, 3, 1, 12, tzinfo=UTC))
        '2026-03-01T12:00:00.000000Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
