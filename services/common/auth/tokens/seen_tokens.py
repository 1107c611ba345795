"""Tokens that are good once: those that were shown, until they expire."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from services.common.auth.tokens.errors import TokenFault, TokenRefusedError

_MOST: Final = 100_000


class SeenTokens:
    """The tokens that were shown, by issuer and `jti`, each until it expires.

    Of this process alone: a second one does not know what was shown here (`SharedTokens` does).

    Args:
        most: Most that are remembered; while there are as many, further ones are refused.
        now: Seconds since 1970.

    Example:
        >>> seen = SeenTokens(now=lambda: 1000.0)
        >>> seen.note("https://ehr.example", "7f3a", until=1300.0)
        >>> seen.note("https://ehr.example", "7f3a", until=1300.0)
        Traceback (most recent call last):
        services.common.auth.tokens.errors.TokenRefusedError: the token was shown before
    """

    def __init__(self, most: int = _MOST, *, now: Callable[[], float] = time.time) -> None:
        self._most = most
        self._now = now
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def note(self, issuer: str, token_id: str, until: float) -> None:
        """Note that a token was shown.

        Args:
            issuer: Its issuer.
            token_id: Its `jti`.
            until: When it is good no more, in seconds since 1970.

        Raises:
            TokenRefusedError: If it was shown before, or too many are remembered.
        """
        now = self._now()
        # Tokens live for minutes, so that the first ones noted end about first; one that lives longer holds up few.
        while self._until and next(iter(self._until.values())) < now:
            self._until.popitem(last=False)
        place = place_of(issuer, token_id)
        if self._until.get(place, 0.0) >= now:
            raise TokenRefusedError(TokenFault.REPLAYED, "the token was shown before")
        if len(self._until) >= self._most:
            raise TokenRefusedError(TokenFault.UNVERIFIABLE, "too many tokens were shown lately to know them apart")
        self._until[place] = until
        self._until.move_to_end(place)


def place_of(issuer: str, token_id: str) -> bytes:
    """Make the digest by which a token is known: another for each issuer and id, however the two are written."""
    return hashlib.sha256(f"{len(issuer)}:{issuer}{token_id}".encode("utf-8", "surrogatepass")).digest()
