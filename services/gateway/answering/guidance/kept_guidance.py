"""Guidance that the gateway keeps, so that a question asked again waits for no request to the policy.

Kept or not, guidance is told as the version's that wrote it, to which calibrators belong. What is kept is used only
while that version is known to be the live one: from the policy's replies, and from asking the policy service every
second as long as guidance is used. A policy that has another version live, or is away, is noticed within two seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final, Literal

from cachetools import TTLCache

from prompt4trust.models import Cost, Guidance, Policy
from services.common.clients.http_pool import HttpCallError, HttpPool

Source = Literal["kept", "asked"]
"""Where guidance came from."""

_KEPT_S: Final = 300.0
"""Longest that guidance is kept, in seconds: a policy may be told to write otherwise under the same name."""
_MOST_CHARS: Final = 4_000
"""Longest guidance that is kept: with the number of them a bound on memory."""
_IN_USE_S: Final = 60.0
"""How long after a question the policy is still asked which version is live."""


class LiveVersion:
    """Knowledge of which policy version is live, and since when it has not been confirmed.

    Args:
        http: Connections to the policy service; its `/version` names the live version.
        every_s: Seconds between two looks while guidance is used.
        clock: Monotonic seconds.
    """

    def __init__(self, http: HttpPool, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._every_s = every_s
        self._clock = clock
        self._version: str | None = None
        self._confirmed_at = self._used_at = float("-inf")
        self._used = asyncio.Event()

    def note(self, version: str | None, asked_at: float) -> None:
        """Take in what the policy said.

        Args:
            version: The version that is live; None where that is not known any more.
            asked_at: When it was asked, by the clock: what was told before something newer is passed over.
        """
        if asked_at >= self._confirmed_at:
            self._version, self._confirmed_at = version, asked_at

    def is_live(self, version: str) -> bool:
        """Whether a version was live at most two looks ago; says, too, that somebody wants to know."""
        self._used_at = self._clock()
        self._used.set()
        return version == self._version and self._used_at - self._confirmed_at <= 2 * self._every_s

    async def follow(self) -> None:
        """Look again and again while guidance is used, until cancelled."""
        while True:
            await self._used.wait()
            if self._clock() - self._used_at > _IN_USE_S:
                self._used.clear()
                continue
            await self._look()
            await asyncio.sleep(self._every_s)

    async def _look(self) -> None:
        asked_at, found = self._clock(), None
        with suppress(HttpCallError, KeyError, TypeError, ValueError):
            reply = await self._http.get("version", self._every_s)
            if reply.status == HTTPStatus.OK:
                found = reply.json()["policy"]["active"]
        self.note(found if isinstance(found, str) else None, asked_at)


class KeptGuidance:
    """A policy whose greedy guidance is kept while its version is live; implements the Policy protocol.

    Keys are digests: what was asked is not kept.

    Args:
        policy: The policy.
        live: Which version is live.
        most: Most guidance that is kept; the least recently used goes first.
        counted: Told where each guidance came from.
        clock: Monotonic seconds, the one of `live`.
    """

    def __init__(
        self,
        policy: Policy,
        live: LiveVersion,
        most: int,
        counted: Callable[[Source], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._live = live
        self._counted = counted
        self._clock = clock
        self._kept: TTLCache[bytes, Guidance] = TTLCache(most, _KEPT_S, timer=clock)

    def __len__(self) -> int:
        return len(self._kept)

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        """Find guidance, or have it written; see `Policy.guide`. Found, it counts as a call without tokens."""
        if seed is not None:
            return await self._asked(question, options, seed)
        key = _digest(question, options)
        kept = self._kept.get(key)
        if kept is not None and self._live.is_live(kept.version):
            self._counted("kept")
            return kept
        asked_at = self._clock()
        guidance = await self._asked(question, options, None)
        self._live.note(guidance.version, asked_at)
        if len(guidance.text) <= _MOST_CHARS:
            self._kept[key] = Guidance(guidance.text, guidance.version, Cost(calls=1))
        return guidance

    async def _asked(self, question: str, options: Mapping[str, str], seed: int | None) -> Guidance:
        self._counted("asked")
        return await self._policy.guide(question, options, seed=seed)


def _digest(question: str, options: Mapping[str, str]) -> bytes:
    # In their order: {"B": ..., "A": ...} is another prompt than {"A": ..., "B": ...}.
    asked = json.dumps([question, list(options.items())])
    return hashlib.sha256(asked.encode()).digest()
