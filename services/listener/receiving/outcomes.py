"""Outcomes of objects that are sent, and what their senders are told of them."""

from __future__ import annotations

from enum import Enum


class StoreOutcome(Enum):
    """Outcome of an object that was sent: its name in metrics, the status that its sender is told, and words for it.

    Nobody is left to be told of the last two.
    """

    KEPT = ("kept", 0x0000, "")
    KNOWN = ("known", 0x0000, "")
    NO_RULE = ("no-rule", 0x0000, "")
    TOO_LARGE = ("too-large", 0xA700, "The object has more bytes than are taken")
    FULL = ("full", 0xA701, "There is no room for another object: send it later")
    OTHER_OBJECT = ("other-object", 0xA900, "The object is another than the request says")
    UNREADABLE = ("unreadable", 0xC000, "The object cannot be read, or lacks identifiers")
    FAILED = ("failed", 0xC001, "The object could not be taken, by a fault of its receiver")
    BROKEN = ("broken", 0xC002, "The connection ended before the object was whole, or was broken off")
    LOST = ("lost", 0xC003, "The object was kept, and cannot be read any more")

    def __init__(self, label: str, status: int, comment: str) -> None:
        self.label = label
        self.status = status
        self.comment = comment
