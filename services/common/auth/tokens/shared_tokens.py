"""Tokens that are good once, wherever they are shown: those that any process took, in a Redis."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from services.common.auth.tokens.errors import TokenFault, TokenRefusedError
from services.common.auth.tokens.seen_tokens import SeenTokens, place_of
from services.common.shared_redis import DEADLINE_S, RedisAwayError, RedisBusyError, SharedRedis

_PREFIX: Final = b"trustvqa:tokens:"


class UsedTokens(Protocol):
    """Where it is noted that a token was used."""

    async def use(self, issuer: str, token_id: str, until: float) -> None:
        """Note it; raise TokenRefusedError where it was used before. `until` is in seconds since 1970."""

    async def close(self) -> None:
        """Let go of what is held."""


class OwnTokens:
    """The tokens that this process took; a `UsedTokens`.

    Args:
        seen: They are noted here.
    """

    def __init__(self, seen: SeenTokens | None = None) -> None:
        self._seen = seen if seen is not None else SeenTokens()

    async def use(self, issuer: str, token_id: str, until: float) -> None:
        """Note one; see `UsedTokens`."""
        self._seen.note(issuer, token_id, until)

    async def close(self) -> None:
        """Do nothing, as nothing is held."""


class SharedTokens:
    """The tokens that all processes took that share a Redis; a `UsedTokens`.

    While the Redis does not answer in time each process knows its own tokens alone, and says so in its log: a record
    system is not kept out by a cache that is away. One that answers, and is asked too much, is not away: what cannot be
    noted then is refused, as nobody is to have a token taken twice by asking often.

    Args:
        redis_url: The Redis. It holds digests of issuers and ids, until the tokens expire.
        deadline_s: Seconds for one question.
        now: Seconds on a clock that goes on evenly.
    """

    def __init__(
        self, redis_url: str, deadline_s: float = DEADLINE_S, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        # Here, so that a service without one does not load it.
        from redis.asyncio import Redis

        self._shared = SharedRedis(
            redis_url, deadline_s, while_away="used tokens are known to this process alone", now=now
        )
        self._redis: Any = Redis(connection_pool=self._shared.pool)
        self._own = OwnTokens()

    async def use(self, issuer: str, token_id: str, until: float) -> None:
        """Note one; see `UsedTokens`."""
        await self._own.use(issuer, token_id, until)
        key = _PREFIX + place_of(issuer, token_id).hex().encode()
        try:
            is_new = await self._shared.ask(lambda: self._redis.set(key, b"1", nx=True, pxat=round(1000 * until)))
        except RedisAwayError:
            return
        except RedisBusyError:
            raise TokenRefusedError(
                TokenFault.UNVERIFIABLE, "too many tokens are shown at once to know whether one was shown before"
            ) from None
        if not is_new:
            raise TokenRefusedError(TokenFault.REPLAYED, "the token was shown before")

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()
        await self._shared.close()
