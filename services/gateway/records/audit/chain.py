"""The chain: each entry's seal covers the one before it, and a sealed head says where the log begins and ends.

A plain hash chain can be mended by whoever changes it. These seals are HMAC-SHA256 (RFC 2104) under a secret that is
not in the database, so that it takes that as well.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import Final

from services.gateway.records.audit.entry import LogEntry

_ABOUT_KEY: Final = b"trustvqa: the name of the key of the audit log"
_ABOUT_HEAD: Final = "trustvqa: head of the audit log"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log begins and ends: without it nobody would miss entries at either end.

    Attributes:
        log: Name of the log, 32 hexadecimal digits; empty while it has no entry.
        first: Number of the oldest entry that is kept.
        before: Seal of the entry before that one; empty where it is the first ever.
        number: Number of the newest entry; 0 for none.
        mac: Its seal.
        states: Digests of what `start`, `registry` and `keys` last found, as canonical JSON.
        key: Name of the key of `seal`.
        seal: Covers all of these.
    """

    log: str = ""
    first: int = 1
    before: str = ""
    number: int = 0
    mac: str = ""
    states: str = "{}"
    key: str = ""
    seal: str = ""

    @property
    def anchor(self) -> str:
        """The newest entry's number and seal, to be noted elsewhere: who knows it knows that the log went up to it."""
        return f"{self.number}:{self.mac}"


class ChainKey:
    """A key of seals.

    Args:
        secret: 32 bytes at least, as random as those of `openssl rand -hex 32`.

    Attributes:
        id: Name of the key, which says nothing of the secret: 16 hexadecimal digits.

    Example:
        >>> key = ChainKey(bytes(32))
        >>> entry = key.sealed(LogEntry(1, "2026-03-01T12:00:00.000000Z", "begin", "{}", "", ""), "")
        >>> key.holds(entry, "")
        True
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = self._mac(_ABOUT_KEY)[:16]

    def sealed(self, entry: LogEntry, previous: str) -> LogEntry:
        """Seal an entry.

        Args:
            entry: Its key and seal do not matter.
            previous: Seal of the entry before it; empty for the first ever.
        """
        return replace(entry, key=self.id, mac=self._seal_of(entry, previous))

    def holds(self, entry: LogEntry, previous: str) -> bool:
        """Whether an entry is what was sealed, behind the entry that it was sealed behind."""
        return hmac.compare_digest(self._seal_of(entry, previous).encode(), entry.mac.encode("utf-8", "replace"))

    def sealed_head(self, head: Head) -> Head:
        """Seal a head; its key and seal do not matter."""
        return replace(head, key=self.id, seal=self._seal_of_head(head))

    def holds_head(self, head: Head) -> bool:
        """Whether a head is what was sealed."""
        return hmac.compare_digest(self._seal_of_head(head).encode(), head.seal.encode("utf-8", "replace"))

    def digest(self, text: str) -> str:
        """Compute what stands in entries for a text that does not: HMAC-SHA256, 64 hexadecimal digits."""
        return self._mac(text.encode("utf-8", "surrogatepass"))

    def _seal_of(self, entry: LogEntry, previous: str) -> str:
        # None of the parts has a line break where nobody tampered, so that no two entries come to one text.
        parts = (str(entry.number), previous, entry.at, entry.kind, entry.body)
        return self._mac("\n".join(parts).encode("utf-8", "surrogatepass"))

    def _seal_of_head(self, head: Head) -> str:
        parts = (_ABOUT_HEAD, head.log, str(head.first), head.before, str(head.number), head.mac, head.states)
        return self._mac("\n".join(parts).encode("utf-8", "surrogatepass"))

    def _mac(self, content: bytes) -> str:
        return hmac.digest(self._secret, content, "sha256").hex()
