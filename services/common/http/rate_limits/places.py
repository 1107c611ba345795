"""Places of addresses: what strangers are counted by where nobody is asked who he is."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

_PLACES: Final = 2048
_USE: Final = b"trustvqa: places of addresses\0"


class AddressPlaces:
    """Sorts addresses into so many places: strangers make addresses, and must not fill a memory with them.

    By a keyed digest, so that nobody can choose an address that counts as another's. Processes that count in one Redis
    have one key, made of its address, which holds its password: the same address has the same place in all of them.

    Args:
        redis_url: The Redis that all count in; None where each counts by itself, by a key of its own.

    Example:
        >>> one, other = AddressPlaces("redis://:secret@redis/1"), AddressPlaces("redis://:secret@redis/1")
        >>> one.of("203.0.113.7") == other.of("203.0.113.7") != one.of("203.0.113.8")
        True
    """

    def __init__(self, redis_url: str | None = None) -> None:
        self._key = secrets.token_bytes(32) if redis_url is None else hashlib.sha256(redis_url.encode()).digest()

    def of(self, address: str) -> str:
        """Give the place of an address."""
        digest = hmac.digest(self._key, _USE + address.encode("utf-8", "surrogatepass"), "sha256")
        return f"place-{int.from_bytes(digest[:8]) % _PLACES}"
