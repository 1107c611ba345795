"""The audit log as NDJSON, and the verification of such a file: it can be proved without the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import IO, Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from services.gateway.records.audit.chain import ChainKey, Head
from services.gateway.records.audit.entry import LogEntry, canonical
from services.gateway.records.audit.log import read_head
from services.gateway.records.audit.reading import entries, first_since, seal_of
from services.gateway.records.audit.verification import ChainFinding, find_tampering

LONGEST_LINE: Final = 4_000_000
"""Bytes of the longest line that is read."""

_HEAD: Final = TypeAdapter(Head)
_ENTRY: Final = TypeAdapter(LogEntry)


class TornFileError(Exception):
    """A file ends within a line: it was not written to its end, which is no tampering."""


class NoExportError(Exception):
    """A file is no export of an audit log; the message says where."""


def exported(connection: Connection, key: ChainKey, since: str | None = None) -> tuple[Head, Iterator[LogEntry]]:
    """Read what is exported: a stretch of the log up to its end, and a head sealed for exactly that.

    Args:
        connection: In a transaction that sees the database as of one moment.
        key: The key of the head's seal.
        since: Time of the first entry, as `moment` writes it; None for all.
    """
    head = read_head(connection)
    first = head.first if since is None else first_since(connection, since)
    first = head.number + 1 if first is None else max(first, head.first)
    before = head.before if first == head.first else seal_of(connection, first - 1) or ""
    stretch = key.sealed_head(replace(head, first=first, before=before, states="{}"))
    return stretch, entries(connection, first=first, last=head.number)


def lines_of(head: Head, found: Iterable[LogEntry]) -> Iterator[str]:
    """Write an export: a line with the head, and one for each entry, each with a line break."""
    yield json.dumps({"head": {**asdict(head), "anchor": head.anchor}}) + "\n"
    for entry in found:
        yield json.dumps({**asdict(entry), "body": json.loads(entry.body)}) + "\n"


def verify_file(
    file: IO[bytes], keys: Mapping[str, ChainKey], count: dict[str, int] | None = None
) -> Iterator[ChainFinding]:
    """Verify an export.

    Args:
        file: The file.
        keys: Names of keys -> the keys.
        count: Its `entries` is set to the number of entries that were read.

    Yields:
        Findings, as `find_tampering` does.

    Raises:
        TornFileError: If the file ends within a line; what comes before was as it was written where nothing was
            yielded.
        NoExportError: If it is no export.
    """
    lines = _objects(file)
    head = _head_of(next(lines, None))
    read = count if count is not None else {}

    def counted() -> Iterator[LogEntry]:
        for number, each in enumerate(lines, start=2):
            yield _entry_of(each, number)
            read["entries"] = number - 1

    yield from find_tampering(head, counted(), keys)


def _head_of(found: Any) -> Head:
    try:
        return _HEAD.validate_json(json.dumps(found["head"]), strict=True)
    except (KeyError, TypeError, ValidationError):
        raise NoExportError("the first line holds no head of an audit log") from None


def _entry_of(found: Any, number: int) -> LogEntry:
    try:
        told = {**found, "body": canonical(found["body"])}
        return _ENTRY.validate_json(json.dumps(told), strict=True)
    except (KeyError, TypeError, ValidationError):
        raise NoExportError(f"line {number} holds no entry of an audit log") from None


def _objects(file: IO[bytes]) -> Iterator[Any]:
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if not line.endswith(b"\n"):
            raise TornFileError(f"line {number} is not whole: the file was not written to its end")
        try:
            yield json.loads(line)
        except ValueError:
            raise NoExportError(f"line {number} is no JSON") from None
