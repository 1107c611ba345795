"""An issuer's public keys: read beside the requests, again for a token that names an unknown one, kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import jwt
import structlog

from services.common.auth.tokens.errors import IssuerError, TokenFault, TokenRefusedError
from services.common.auth.tokens.issuer_source import IssuerSource

ALGORITHMS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", frozenset({""}))),
    "ES256": ("EC", frozenset({"P-256"})),
    "ES384": ("EC", frozenset({"P-384"})),
    "ES512": ("EC", frozenset({"P-521"})),
    "EdDSA": ("OKP", frozenset({"Ed25519", "Ed448"})),
}
"""Algorithms that can be allowed -> type of their keys, and the curves. Asymmetric ones alone: nobody who can check a
token may be able to make one."""

_MOST_KEYS: Final = 100
_RSA_BITS: Final = (2048, 8192)
_LONGEST_ID: Final = 256
_log = structlog.get_logger(__name__)

Keys = Mapping[tuple[str | None, str], jwt.PyJWK]
"""Id of a key and algorithm -> the key."""


@dataclass(frozen=True, slots=True)
class KeyTiming:
    """How often an issuer's keys are read, and how long they count.

    Attributes:
        refresh_s: Seconds from one reading to the next.
        retry_s: Seconds to the next try after one that failed.
        unknown_s: Least seconds between two readings because of tokens that name unknown keys.
        stale_s: Seconds for which keys count that cannot be read again.
    """

    refresh_s: float = 300.0
    retry_s: float = 10.0
    unknown_s: float = 30.0
    stale_s: float = 3600.0


class IssuerKeys:
    """The public keys of one issuer.

    Args:
        source: Where they are read.
        algorithms: Those that are allowed; see ALGORITHMS.
        timing: How often they are read.
        clock: Monotonic seconds.
        noted: Told of every reading whether it succeeded.
    """

    def __init__(
        self,
        source: IssuerSource,
        algorithms: Sequence[str],
        timing: KeyTiming | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        noted: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._algorithms = tuple(algorithms)
        self._timing = timing if timing is not None else KeyTiming()
        self._clock = clock
        self._noted = noted
        self._keys: Keys = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._asked_for_unknown_at: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self.problem: str | None = "the issuer's keys have not been read yet"
        """Why they could not be read the last time; None where they could."""

    @property
    def count(self) -> int:
        """How many keys count now."""
        return 0 if self._is_stale else len({key_id for key_id, _ in self._keys})

    @property
    def age_s(self) -> float | None:
        """Seconds since they were read; None where they never were."""
        return None if self._read_at is None else self._clock() - self._read_at

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK:
        """Find the key that a token says it was signed by.

        Args:
            key_id: Its id; None where the token names none, which will do if there is one key for its algorithm.
            algorithm: The token's algorithm, one of those that are allowed.

        Raises:
            TokenRefusedError: If there is none, or the issuer's keys could not be read for too long.
        """
        if self._is_stale:
            await self._read_if_due(self._tried_at, self._timing.retry_s)
            if self._is_stale:
                raise TokenRefusedError(
                    TokenFault.UNVERIFIABLE, "the keys of the issuer cannot be read, so that no token can be checked"
                )
        found = self._look_up(key_id, algorithm)
        if found is None and key_id is not None and not any(key_id == known for known, _ in self._keys):
            due = self._asked_for_unknown_at
            if due is None or self._clock() - due >= self._timing.unknown_s:
                self._asked_for_unknown_at = self._clock()
                await self._read_if_due(None, 0.0)
            elif self._reading is not None:
                await asyncio.shield(self._reading)
            found = self._look_up(key_id, algorithm)
        if found is None:
            raise TokenRefusedError(TokenFault.UNKNOWN_KEY, "the issuer names no such key as the token is signed by")
        return found

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Read them again and again for the length of a block; no request waits for that."""
        following = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            for task in (following, self._reading):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def _follow(self) -> None:
        while True:
            await self._read_if_due(None, 0.0)
            await asyncio.sleep(self._timing.refresh_s if self.problem is None else self._timing.retry_s)

    @property
    def _is_stale(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at > self._timing.stale_s

    def _look_up(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        if key_id is not None:
            return self._keys.get((key_id, algorithm))
        fitting = [key for (_, known), key in self._keys.items() if known == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    async def _read_if_due(self, since: float | None, least_s: float) -> None:
        """Read them, or wait for who does; nothing where that was tried a moment ago."""
        if self._reading is None:
            if since is not None and self._clock() - since < least_s:
                return
            self._reading = asyncio.create_task(self._read())
        # Whoever leaves meanwhile does not take the keys from those who wait beside.
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        self._tried_at = self._clock()
        try:
            listed = await self._source.read()
            keys = usable_keys(listed, self._algorithms)
            if not keys:
                raise IssuerError("the issuer's key set holds no key for the algorithms that are allowed")
        except IssuerError as error:
            if self.problem != str(error):
                _log.error("keys of the issuer of tokens not read; those before count for a while", reason=str(error))
            self.problem = str(error)
            self._noted(False)
        else:
            if self.problem is not None or keys.keys() != self._keys.keys():
                _log.info("keys of the issuer of tokens read", keys=len({key_id for key_id, _ in keys}))
            self._keys, self._read_at, self.problem = keys, self._clock(), None
            self._noted(True)
        finally:
            self._reading = None


def usable_keys(listed: Sequence[Any], algorithms: Sequence[str]) -> Keys:
    """Make keys of a key set; those that are of no use here are left out.

    Args:
        listed: The set's keys as JSON has them; of very many the first hundred count.
        algorithms: Those that are allowed.

    Returns:
        Id and algorithm -> key. Of two keys of one id none counts.
    """
    found: dict[tuple[str | None, str], jwt.PyJWK] = {}
    twice: set[tuple[str | None, str]] = set()
    for each in listed[:_MOST_KEYS]:
        if not isinstance(each, dict) or not _is_for_signatures(each):
            continue
        for algorithm in algorithms:
            if (key := _key_for(each, algorithm)) is not None:
                place = (each.get("kid"), algorithm)
                twice |= {place} & found.keys()
                found[place] = key
    return {place: key for place, key in found.items() if place not in twice}


def _is_for_signatures(listed: Mapping[str, Any]) -> bool:
    key_id, operations = listed.get("kid"), listed.get("key_ops", ["verify"])
    return (
        (key_id is None or (isinstance(key_id, str) and len(key_id) <= _LONGEST_ID))
        and listed.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in listed  # a private key that was published is nobody's any more
    )


def _key_for(listed: Mapping[str, Any], algorithm: str) -> jwt.PyJWK | None:
    kind, curves = ALGORITHMS[algorithm]
    if listed.get("kty") != kind or listed.get("alg", algorithm) != algorithm:
        return None
    if kind != "RSA" and listed.get("crv") not in curves:
        return None
    try:
        key = jwt.PyJWK(dict(listed), algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    bits = getattr(key.key, "key_size", 0)
    return key if kind != "RSA" or _RSA_BITS[0] <= bits <= _RSA_BITS[1] else None
