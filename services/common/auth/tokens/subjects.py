"""Names of tokens' subjects here: keyed hashes, so that neither a log nor a record says who somebody is."""

from __future__ import annotations

import hmac
import json
from typing import Final

SHORTEST_SECRET: Final = 32
"""Characters that the secret of the hashes has at least."""

_USE: Final = b"trustvqa: a subject of tokens\0"
_DIGITS: Final = 32


class SubjectNames:
    """Gives subjects their names.

    A subject is often a user's name or address, which a plain hash would not hide: there are few, and they can be
    tried. The same secret at all services, and after a restart, gives the same names.

    Args:
        secret: At least SHORTEST_SECRET characters.

    Example:
        >>> SubjectNames("0123456789abcdef" * 4).of("https://login.example", "anna")
        'sub_96895a8bd549a08bd69b666b721aba61'
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"the secret has fewer than {SHORTEST_SECRET} characters")
        self._secret = secret.encode()

    def of(self, issuer: str, subject: str) -> str:
        """Name a subject of an issuer."""
        text = _USE + json.dumps([issuer, subject]).encode()
        return "sub_" + hmac.digest(self._secret, text, "sha256").hex()[:_DIGITS]
