"""Whoever changes the log without its key is found, and the place is named."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

import pytest

from services.gateway.records.audit.chain import ChainKey, Head
from services.gateway.records.audit.entry import LogEntry, canonical
from services.gateway.records.audit.verification import check_anchor, find_tampering

KEY = ChainKey(bytes(range(32)))
KEYS = {KEY.id: KEY}
LENGTH = 60
TAMPERINGS = 1_000


def a_log(length: int = LENGTH, first: int = 1) -> tuple[Head, list[LogEntry]]:
    """A log as it is written, of which the entries before `first` were pruned."""
    head, entries = _written(length, first)
    return head, list(entries)


@lru_cache
def _written(length: int, first: int) -> tuple[Head, tuple[LogEntry, ...]]:
    entries: list[LogEntry] = []
    mac = ""
    for number in range(1, length + 1):
        body = canonical({"answer": f"id-{number}", "decision": "answer"})
        entry = KEY.sealed(LogEntry(number, f"2026-03-01T12:00:{number % 60:02}.000000Z", "answer", body, "", ""), mac)
        entries.append(entry)
        mac = entry.mac
    before = entries[first - 2].mac if first > 1 else ""
    return KEY.sealed_head(Head("ab" * 16, first, before, length, mac, "{}")), tuple(entries[first - 1 :])


def place_found(head: Head, entries: list[LogEntry]) -> int | None:
    """The number of the first entry that is named."""
    found = next(find_tampering(head, entries, KEYS), None)
    return None if found is None else found.first


Tampering = tuple[Head, list[LogEntry], int]
"""The log as it lies there then, and where a reader is to be sent first."""


def edited(chance: random.Random, head: Head, log: list[LogEntry]) -> Tampering:
    at = chance.randrange(len(log))
    name = chance.choice(["at", "kind", "body", "mac", "key"])
    text = getattr(log[at], name)
    spot = chance.randrange(len(text))
    changed = chr((ord(text[spot]) + chance.randrange(1, 90)) % 128)
    log[at] = replace(log[at], **{name: text[:spot] + changed + text[spot + 1 :]})
    return head, log, log[at].number


def removed(chance: random.Random, head: Head, log: list[LogEntry]) -> Tampering:
    at = chance.randrange(len(log))
    count = chance.randint(1, len(log) - at)
    gone = log[at : at + count]
    return head, log[:at] + log[at + count :], gone[0].number


def removed_and_renumbered(chance: random.Random, head: Head, log: list[LogEntry]) -> Tampering:
    at = chance.randrange(len(log) - 1)
    rest = [replace(each, number=each.number - 1) for each in log[at + 1 :]]
    return head, log[:at] + rest, log[at].number


def inserted(chance: random.Random, head: Head, log: list[LogEntry]) -> Tampering:
    at = chance.randrange(len(log))
    forged = replace(chance.choice(log), number=log[at].number)
    rest = [replace(each, number=each.number + 1) for each in log[at:]]
    is_same = (forged.at, forged.kind, forged.body, forged.mac) == (
        *(log[at].at, log[at].kind, log[at].body, log[at].mac),
    )
    return head, [*log[:at], forged, *rest], log[at].number + (1 if is_same else 0)


def added_at_the_end(chance: random.Random, head: Head, log: list[LogEntry]) -> Tampering:
    forged = replace(chance.choice(log), number=log[-1].number + 1)
    return head, [*log, forged], forged.number


def reordered(chance: random.Random, head: Head, log: list[LogEntry]) -> Tampering:
    one, other = sorted(chance.sample(range(len(log)), 2))
    first, second = log[one], log[other]
    log[one], log[other] = replace(second, number=first.number), replace(first, number=second.number)
    return head, log, first.number


def cut_off(chance: random.Random, head: Head, log: list[LogEntry]) -> Tampering:
    at = chance.randrange(1, len(log))
    return head, log[:at], log[at].number


def cut_off_with_a_head_to_match(chance: random.Random, head: Head, log: list[LogEntry]) -> Tampering:
    at = chance.randrange(1, len(log))
    last = log[at - 1]
    return replace(head, number=last.number, mac=last.mac), log[:at], last.number


def begun_later(chance: random.Random, head: Head, log: list[LogEntry]) -> Tampering:
    at = chance.randrange(1, len(log))
    forged = replace(head, first=log[at].number, before=log[at - 1].mac)
    return forged, log[at:], log[-1].number  # entries and head fit each other: the head's seal does not


WAYS: list[Callable[[random.Random, Head, list[LogEntry]], Tampering]] = [
    edited,
    removed,
    removed_and_renumbered,
    inserted,
    added_at_the_end,
    reordered,
    cut_off,
    cut_off_with_a_head_to_match,
    begun_later,
]


def tamperings() -> Iterator[tuple[str, Tampering]]:
    chance = random.Random(20_260_301)
    for number in range(TAMPERINGS):
        way = WAYS[number % len(WAYS)]
        head, log = a_log(first=chance.choice([1, 1, 17]))
        yield way.__name__, way(chance, head, log)


def test_a_thousand_tamperings_are_found_and_the_place_is_named() -> None:
    missed = [
        (name, place, found) for name, (head, log, place) in tamperings() if (found := place_found(head, log)) != place
    ]
    assert missed == []


@pytest.mark.parametrize("first", [1, 2, LENGTH])
def test_nothing_is_found_where_nobody_tampered(first: int) -> None:
    assert list(find_tampering(*a_log(first=first), KEYS)) == []


def test_an_empty_log_is_whole_and_one_that_was_emptied_is_not() -> None:
    assert list(find_tampering(Head(), [], KEYS)) == []
    head, _ = a_log()
    assert [str(each) for each in find_tampering(head, [], KEYS)] == [
        f"entries 1 to {LENGTH} are not there: removed, or the log was cut off"
    ]
    _, entries = a_log()
    found = list(find_tampering(Head(), entries, KEYS))
    assert [(each.fault, each.first, each.last) for each in found] == [("surplus", 1, LENGTH)]


def test_every_place_is_named_and_not_only_the_first() -> None:
    head, log = a_log()
    log[9] = replace(log[9], body="{}")
    log[29] = replace(log[29], kind="review")
    del log[39]
    found = [(each.fault, each.first, each.last) for each in find_tampering(head, log, KEYS)]
    assert found == [("changed", 10, 10), ("changed", 30, 30), ("missing", 40, 40)]


def test_without_the_key_nothing_is_called_whole() -> None:
    head, log = a_log(3)
    other = ChainKey(bytes(32))
    found = [(each.fault, each.first) for each in find_tampering(head, log, {other.id: other})]
    assert found == [("unknown-key", 1), ("unknown-key", 2), ("unknown-key", 3), ("unknown-key", 3)]


def test_who_lacks_the_key_cannot_mend_the_chain() -> None:
    forger = ChainKey(b"x" * 32)
    _, log = a_log()
    log[20] = forger.sealed(replace(log[20], body='{"decision":"defer"}'), log[19].mac)
    for at in range(21, LENGTH):
        log[at] = forger.sealed(log[at], log[at - 1].mac)
    mended = [replace(each, key=KEY.id) for each in log]
    head = replace(forger.sealed_head(Head("ab" * 16, 1, "", LENGTH, log[-1].mac, "{}")), key=KEY.id)
    assert place_found(head, mended) == 21


def test_a_log_that_was_put_back_to_an_earlier_state_is_found_by_a_head_that_was_noted() -> None:
    head, log = a_log()
    earlier, cut = a_log(40)
    assert list(find_tampering(earlier, cut, KEYS)) == []  # it was whole then
    found = check_anchor(head.anchor, earlier, None)
    assert found is not None
    assert (found.fault, found.first) == ("anchor", LENGTH)
    assert check_anchor(earlier.anchor, head, log[39].mac) is None
    pruned, _ = a_log(first=50)
    assert check_anchor(earlier.anchor, pruned, None) is None  # its time was over
    assert check_anchor(f"49:{log[48].mac}", pruned, None) is None
    assert check_anchor(f"49:{log[0].mac}", pruned, None) is not None
    with pytest.raises(ValueError, match="a head is a number"):
        check_anchor("no anchor", head, None)
