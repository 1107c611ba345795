"""Greedy guidance that policy services keep for each other in a Redis, which may be away, late or full at any time.

Nothing depends on it but speed. Every call has a deadline of some milliseconds and a breaker, and what comes back is
taken only if a service with the same secret wrote it for the very same prompt, and if it would pass as guidance that
was just written. Redis holds no question: keys are keyed hashes (HMAC-SHA256), and only guidance is in the values.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import structlog

from prompt4trust.models import Completion, TransportError
from prompt4trust.prompts import PromptTemplate
from prompt4trust.verdict import steers
from services.common.clients.breaker import BreakerState, CircuitBreaker
from services.policy.settings import PolicySettings

Outcome = Literal["found", "missing", "unfit", "kept", "rejected", "failed", "left alone"]
"""The end of a call: "unfit" is a value that is not taken, "rejected" a refusal by Redis, as by one that is full."""

MOST_BYTES = 16_384
"""Largest value; guidance has some hundred characters."""
_MAC_BYTES = 32
_CONNECTIONS = 16
_FAILURES, _PAUSE_S = 3, 5.0
_ENDS = ("stop", "length")
_log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GuidanceKey:
    """Everything that greedy guidance depends on.

    Attributes:
        version: The policy version.
        model: What writes: the engine, and a server's name for the model or the digest of its files. One name of a
            version may stand for different models at two services that share guidance.
        template: Its wording.
        question: The question.
        options: Letter -> text, in the prompt's order.
        max_tokens: The longest text that is written.
    """

    version: str
    model: str
    template: PromptTemplate
    question: str
    options: Mapping[str, str]
    max_tokens: int

    def text(self) -> bytes:
        """Write it down so that different things are written differently."""
        return json.dumps(
            [
                self.version,
                self.model,
                self.template.model_dump(mode="json"),
                self.question,
                list(self.options.items()),
                self.max_tokens,
            ]
        ).encode()


class SharedGuidance:
    """A cache of guidance in a Redis.

    Args:
        redis: The client; the caller closes it.
        secret: Of all services that share it.
        ttl_s: Seconds for which guidance is kept.
        deadline_s: Seconds after which a call is given up.
        ended: Called with the outcome of each call.
        changed: Called with each new state of the breaker.
    """

    def __init__(
        self,
        redis: Any,
        secret: str,
        *,
        ttl_s: float,
        deadline_s: float,
        ended: Callable[[Outcome], None] = lambda _: None,
        changed: Callable[[BreakerState], None] = lambda _: None,
    ) -> None:
        self._redis = redis
        self._secret = secret.encode()
        self._ttl_ms = max(1, round(1000 * ttl_s))
        self._deadline_s = deadline_s
        self._ended = ended
        self._breaker = CircuitBreaker("cache", _FAILURES, _PAUSE_S, changed=changed)

    @property
    def trouble(self) -> str | None:
        """Why it is not used for now; None where it is."""
        return None if self._breaker.state == "closed" else "the cache is left alone for now, as it kept failing"

    async def find(self, asked: GuidanceKey) -> Completion | None:
        """Look guidance up; None where there is none that may be taken, or no answer in time."""
        key = self._key(asked)
        try:
            # No more of a value than may be taken, however long it is.
            value = await self._call(lambda: self._redis.getrange(key, 0, _MAC_BYTES + MOST_BYTES))
        except TransportError as error:
            self._note(error)
            return None
        found = self._read(key, bytes(value), asked) if value else None
        self._ended("found" if found else "unfit" if value else "missing")
        return found

    async def keep(self, asked: GuidanceKey, written: Completion) -> None:
        """Keep guidance for others, if that is possible in time."""
        key = self._key(asked)
        body = json.dumps({"text": written.text, "finish_reason": written.finish_reason}).encode()
        if not _is_fit(written, asked) or len(body) > MOST_BYTES:
            return
        value = self._mac(b"value", key.encode() + b"\0" + body) + body
        try:
            await self._call(lambda: self._redis.set(key, value, px=self._ttl_ms))
        except TransportError as error:
            self._note(error)
        else:
            self._ended("kept")

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        from redis.exceptions import RedisError, ResponseError

        with self._breaker.call():
            try:
                async with asyncio.timeout(self._deadline_s):
                    return await call()
            except ResponseError as error:
                # It is there, and says no: full (OOM), read-only, not allowed.
                raise TransportError("cache", str(error)[:200], status=400) from error
            except (RedisError, OSError, TimeoutError) as error:
                raise TransportError("cache", type(error).__name__) from error

    def _note(self, error: TransportError) -> None:
        self._ended("rejected" if error.status else "left alone" if error.retry_after else "failed")
        _log.debug("guidance is not shared", reason=error.detail)

    def _key(self, asked: GuidanceKey) -> str:
        return f"trustvqa:cgp:1:{self._mac(b'key', asked.text()).hex()}"

    def _mac(self, use: bytes, text: bytes) -> bytes:
        return hmac.digest(self._secret, use + b"\0" + text, hashlib.sha256)

    def _read(self, key: str, value: bytes, asked: GuidanceKey) -> Completion | None:
        mac, body = value[:_MAC_BYTES], value[_MAC_BYTES:]
        if len(body) > MOST_BYTES or not hmac.compare_digest(mac, self._mac(b"value", key.encode() + b"\0" + body)):
            return None
        try:
            read = json.loads(body)
            written = Completion(read["text"], read["finish_reason"])
        except (ValueError, KeyError, TypeError):
            return None
        return written if isinstance(written.text, str) and _is_fit(written, asked) else None


def _is_fit(written: Completion, asked: GuidanceKey) -> bool:
    """Whether guidance may be given out as if it had just been written: not empty, ended, naming no answer."""
    return bool(written.text.strip()) and written.finish_reason in _ENDS and not steers(written.text, asked.options)


@asynccontextmanager
async def open_shared_guidance(
    settings: PolicySettings, ended: Callable[[Outcome], None], changed: Callable[[BreakerState], None]
) -> AsyncIterator[SharedGuidance | None]:
    """Connect to the Redis that the settings name, for the length of a block; None where they name none.

    Nothing is asked of it yet: the service starts without it as well.
    """
    if settings.guidance_cache_url is None or settings.guidance_cache_secret is None:
        yield None
        return
    # Here, so that a service without one does not load it.
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    within_s = settings.guidance_cache_deadline_s
    pool = BlockingConnectionPool.from_url(
        settings.guidance_cache_url.get_secret_value(),
        max_connections=_CONNECTIONS,
        timeout=within_s,
        socket_timeout=within_s,
        socket_connect_timeout=within_s,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
    redis = Redis.from_pool(pool)
    try:
        yield SharedGuidance(
            redis,
            settings.guidance_cache_secret.get_secret_value(),
            ttl_s=settings.cache_ttl_s,
            deadline_s=within_s,
            ended=ended,
            changed=changed,
        )
    finally:
        await redis.aclose()
