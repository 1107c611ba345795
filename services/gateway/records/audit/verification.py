"""ChainFinding what somebody changed in the audit log, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from services.gateway.records.audit.chain import ChainKey, Head
from services.gateway.records.audit.entry import LogEntry

Fault = Literal["changed", "missing", "misplaced", "surplus", "head", "unknown-key", "anchor"]

_MEANING: Final[Mapping[str, str]] = {
    "changed": "is not what was written, or does not follow the entry before it: it was changed, inserted or moved",
    "missing": "is not there: removed, or the log was cut off",
    "misplaced": "comes twice, or behind a later one",
    "surplus": "lies outside what the head says: it was added past the head, or the head is an earlier one",
    "head": "is not what the head says, or the head was changed: the log was cut off, or put back to an earlier state",
    "unknown-key": "was sealed under a key that is not at hand: nothing can be said of it",
    "anchor": "is not the entry that was noted elsewhere: the log was put back to an earlier state, or is another one",
}


@dataclass(frozen=True, slots=True)
class ChainFinding:
    """A place where a log is not as it was written.

    Attributes:
        fault: What is wrong.
        first: Number of the first entry that it concerns.
        last: Number of the last.
        detail: What else is known; may be empty.
    """

    fault: Fault
    first: int
    last: int
    detail: str = ""

    def __str__(self) -> str:
        place = f"entry {self.first}" if self.first == self.last else f"entries {self.first} to {self.last}"
        meaning = _MEANING[self.fault] if self.first == self.last else _plural(_MEANING[self.fault])
        return f"{place} {meaning}" + (f" ({self.detail})" if self.detail else "")


def find_tampering(head: Head, entries: Iterable[LogEntry], keys: Mapping[str, ChainKey]) -> Iterator[ChainFinding]:
    """Walk a log and name each place that is not as it was written.

    An entry behind a gap cannot be told from a changed one, and is left to the finding of the gap.

    Args:
        head: The log's head as it was read, before or together with the entries.
        entries: The entries in the order in which they lie.
        keys: Names of keys -> the keys.

    Yields:
        Findings in the order of their places; those about the head last. The first is where tampering begins.
    """
    wanted, previous, is_linked = head.first, head.before, True
    for entry in entries:
        if entry.number < wanted:
            yield ChainFinding("surplus" if entry.number < head.first else "misplaced", entry.number, entry.number)
            continue
        if entry.number > wanted:
            yield ChainFinding("missing", wanted, entry.number - 1, f"entry {entry.number} cannot be checked without")
            is_linked = False
        if (key := keys.get(entry.key)) is None:
            yield ChainFinding("unknown-key", entry.number, entry.number, f"key {entry.key!r:.40}")
        elif is_linked and not key.holds(entry, previous):
            yield ChainFinding("changed", entry.number, entry.number)
        wanted, previous, is_linked = entry.number + 1, entry.mac, True
    yield from _check_head(head, wanted - 1, previous, keys)


def check_anchor(anchor: str, head: Head, seal: str | None) -> ChainFinding | None:
    """Compare a log with a head that was noted earlier, elsewhere.

    Args:
        anchor: A number and a seal with a colon between.
        head: The log's head.
        seal: Seal of the entry of that number; None where it is not there.

    Returns:
        None where the log went on from there, or began after it by its retention.

    Raises:
        ValueError: If the anchor is none.
    """
    place, mac = read_anchor(anchor)
    if seal == mac or (place == 0 and not mac) or place < head.first - 1:
        return None
    if place == head.first - 1 and head.before == mac:
        return None
    return ChainFinding("anchor", place, place)


def read_anchor(anchor: str) -> tuple[int, str]:
    """Split a head that was noted into number and seal.

    Raises:
        ValueError: If it is none.
    """
    number, _, mac = anchor.strip().partition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 19) or len(mac) not in (0, 64):
        raise ValueError("a head is a number and a seal of 64 digits, with a colon between, as `audit head` prints it")
    return int(number), mac


def _check_head(head: Head, last: int, mac: str, keys: Mapping[str, ChainKey]) -> Iterator[ChainFinding]:
    if last < head.number:
        yield ChainFinding("missing", last + 1, head.number)
    elif last > head.number:
        yield ChainFinding("surplus", head.number + 1, last)
    elif mac != head.mac:
        yield ChainFinding("head", last, last)
    if head == Head():
        return  # nothing was ever written
    if (key := keys.get(head.key)) is None:
        yield ChainFinding("unknown-key", head.number, head.number, "the head")
    elif not key.holds_head(head):
        yield ChainFinding("head", head.number, head.number, "its seal is not the head's")


def _plural(meaning: str) -> str:
    first, _, rest = meaning.partition(" ")
    return f"{ {'is': 'are', 'was': 'were', 'comes': 'come', 'lies': 'lie'}[first] } {rest}"
