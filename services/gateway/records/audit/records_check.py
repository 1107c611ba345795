"""Comparing records with the audit log: what was changed, put in or taken out of the tables that it tells of."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from services.gateway.records.audit.chain import ChainKey, Head
from services.gateway.records.audit.entry import Kind, LogEntry, moment
from services.gateway.records.audit.events import record_digest, reply_digest, review_digest
from services.gateway.records.tables import answers, feedback

_AT_ONCE: Final = 1_000
_DIGEST: Final = 16  # bytes that are kept of each: 128 bits are enough to compare with
_NONE: Final = bytes(_DIGEST)
_UNSURE: Final = timedelta(hours=1)

RecordFault = Literal["changed", "reply-changed", "without-entry", "gone", "strike"]

_MEANING: Final[Mapping[str, str]] = {
    "changed": "is not what was stored: somebody changed it",
    "reply-changed": "has another reply, or structured result, to be told again than was stored",
    "without-entry": "has no entry in the audit log: it was not stored by a gateway, or by one of a version before",
    "gone": "is gone, though its time to be kept is not over",
    "strike": "counts or does not count otherwise than administrators decided",
}


@dataclass(frozen=True, slots=True)
class RecordFinding:
    """A record that is not what the audit log says.

    Attributes:
        what: `answer` or `review`.
        name: The answer's id, or the review's number.
        fault: What is wrong.
    """

    what: Literal["answer", "review"]
    name: str
    fault: RecordFault

    def __str__(self) -> str:
        return f"{self.what} {self.name} {_MEANING[self.fault]}"


class RecordsCheck:
    """Digests that a walk through the log collects, to compare records with; about 250 bytes of memory for each answer.

    Args:
        head: The log's head.
        keys: Names of keys -> the keys.
    """

    def __init__(self, head: Head, keys: Mapping[str, ChainKey]) -> None:
        self._keys = list(keys.values())
        self._places = {name: place for place, name in enumerate(keys)}
        self._was_pruned = head.first > 1
        self._since: str | None = None
        self._kept_since = ""
        self._answers: dict[bytes, bytes] = {}
        self._times: dict[bytes, str] = {}
        self._reviews: dict[int, bytes] = {}
        self._struck: set[int] = set()

    def see(self, entry: LogEntry) -> None:
        """Take in an entry; those under unknown keys, and those that cannot be read, say nothing."""
        self._since = entry.at if self._since is None else min(self._since, entry.at)
        place = self._places.get(entry.key)
        try:
            body = json.loads(entry.body)
            match entry.kind:
                case Kind.ANSWER if place is not None:
                    name = uuid.UUID(body["answer"]).bytes
                    self._answers[name] = self._answers.get(name, b"") + _packed(place, body)
                    self._times[name] = entry.at
                case Kind.REVIEW if place is not None:
                    self._reviews[int(body["review"])] = _packed(place, body)
                case Kind.STRIKE:
                    self._struck.update(body["reviews"])
                case Kind.RESTORE:
                    self._struck.difference_update(body["reviews"])
                case Kind.PRUNE_RECORDS:
                    self._kept_since = max(self._kept_since, moment(datetime.fromisoformat(body["before"])))
                case _:
                    pass
        except (KeyError, TypeError, ValueError):
            return  # the walk names it: its seal cannot hold

    def findings(self, connection: Connection) -> Iterator[RecordFinding]:
        """Compare with what the tables hold.

        Args:
            connection: In the transaction that the log was read in.
        """
        if self._since is None:
            return
        since = datetime.strptime(self._since, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        # Several gateways' clocks differ: near the place up to which a log was pruned an entry may be missing rightly.
        since += _UNSURE if self._was_pruned else timedelta()
        yield from self._answers_found(connection, since)
        yield from self._reviews_found(connection, since)

    def _answers_found(self, connection: Connection, since: datetime) -> Iterator[RecordFinding]:
        for row in _rows(connection, select(answers)):
            name = uuid.UUID(row["id"]).bytes
            known = self._answers.pop(name, b"")
            if not known:
                if row["at"] >= since:
                    yield RecordFinding("answer", row["id"], "without-entry")
                continue
            told = list(_unpacked(known))
            of_record = {(place, record) for place, record, _ in told}
            if not any(_short(record_digest(row, self._keys[place])) == record for place, record in of_record):
                yield RecordFinding("answer", row["id"], "changed")
            elif row["erased_at"] is None and not any(
                _short(reply_digest(row, self._keys[place])) == reply for place, _, reply in told
            ):
                yield RecordFinding("answer", row["id"], "reply-changed")
        for name in self._answers:
            if self._times[name] >= self._kept_since:
                yield RecordFinding("answer", str(uuid.UUID(bytes=name)), "gone")

    def _reviews_found(self, connection: Connection, since: datetime) -> Iterator[RecordFinding]:
        for row in _rows(connection, select(feedback)):
            known = self._reviews.get(row["number"])
            if known is None:
                if row["at"] >= since:
                    yield RecordFinding("review", str(row["number"]), "without-entry")
                continue
            ((place, record, _),) = _unpacked(known)
            if _short(review_digest(row, self._keys[place])) != record:
                yield RecordFinding("review", str(row["number"]), "changed")
            elif (row["strike"] is not None) != (row["number"] in self._struck):
                yield RecordFinding("review", str(row["number"]), "strike")


def _packed(place: int, body: Mapping[str, Any]) -> bytes:
    reply = body.get("reply")
    return bytes([place]) + _short(body["record"]) + _short(reply)


def _unpacked(packed: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    size = 1 + 2 * _DIGEST
    for start in range(0, len(packed), size):
        part = packed[start : start + size]
        yield part[0], part[1 : 1 + _DIGEST], part[1 + _DIGEST :]


def _short(digest: str | None) -> bytes:
    return _NONE if digest is None else bytes.fromhex(digest)[:_DIGEST]


def _rows(connection: Connection, query: Any) -> Iterator[Mapping[str, Any]]:
    for part in connection.execution_options(yield_per=_AT_ONCE).execute(query).partitions():
        for row in part:
            yield row._asdict()
