"""The pace of clients whose requests are refused time after time: slow, as long as others ask.

What is refused costs a service nearly as much as what is answered: it is received, parsed, decoded. A client that sends
such things as fast as they are refused takes the event loop from everybody else, whatever bounds there are on one
request. So whoever is refused far more often than answered is let in at a fixed pace, before its body is read.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.askers import Askers
from services.common.auth.client import client_of
from services.common.http.problems import Problem, request_id_of_scope

_REFUSED: Final = frozenset({400, 408, 413, 415, 422})
"""Statuses that are the client's own fault, and cost more than a look at the header."""
_EXCUSED: Final = "refusal_excused"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many refusals are usual, and how slowly one is let in that has more.

    Attributes:
        allowed: Refusals in a row, before a client is slowed down.
        most: Refusals that are remembered of a client, however many they were.
        forgiven_per_s: Refusals that are forgotten each second.
        forgiven_by_answer: Refusals that are forgotten for each request that was answered.
        every_s: Time from one request of a slow client to the next, in seconds.
        longest_s: Longest that a request is held, in seconds; where its turn would come later it is then answered 429.
        held: Most requests that are held at once; further ones are answered 429 at once.
        known: Most clients that are remembered.
    """

    allowed: float = 20.0
    most: float = 60.0
    forgiven_per_s: float = 1.0
    forgiven_by_answer: float = 0.25
    every_s: float = 0.5
    longest_s: float = 10.0
    held: int = 128
    known: int = 4096


@dataclass(slots=True)
class _Refusals:
    """A client's refusals: how many are not forgotten, as of when, and when its next request is let in."""

    count: float
    at: float
    next_at: float = 0.0


class Pacing:
    """ASGI middleware: hold requests of clients that are refused over and over, so that others need not wait for them.

    A client that asks alone is never held.

    Args:
        app: The wrapped application.
        paths: Where what takes work is posted; other requests pass through.
        pace: How slow is slow.
        clock: Monotonic seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        paths: Collection[str],
        pace: Pace | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._pace = pace if pace is not None else Pace()
        self._clock = clock
        self._sleep = sleep
        self._others = Askers(clock=clock)
        self._clients: OrderedDict[str, _Refusals] = OrderedDict()  # the one longest not seen first
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other ASGI scopes pass through."""
        if scope["type"] != "http" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        client = client_of(scope)
        try:
            await self._wait(client)
        except Problem as problem:
            response = problem.response(request_id_of_scope(scope))
            response.headers["Connection"] = "close"  # its body is not read
            await response(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and not scope.get("state", {}).get(_EXCUSED):
                self._note(client, message["status"])
            await send(message)

        await self._app(scope, receive, noting)

    async def _wait(self, client: str) -> None:
        """Hold a request until its client's turn.

        Raises:
            Problem: 429 if that is too far away.
        """
        refusals = self._clients.get(client)
        if refusals is None or self._left(refusals) <= self._pace.allowed:
            self._others.note(client)
            return
        if not self._others.anybody_but(client):
            return
        now = self._clock()
        at = max(now, refusals.next_at)
        if self._held >= self._pace.held:
            raise _too_often(at - now)
        in_time = at - now <= self._pace.longest_s
        if in_time:
            refusals.next_at = at + self._pace.every_s
        self._held += 1
        try:
            await self._sleep(min(at - now, self._pace.longest_s))
        finally:
            self._held -= 1
        if not in_time:
            raise _too_often(at - now - self._pace.longest_s)

    def _note(self, client: str, status: int) -> None:
        refused = status in _REFUSED
        if client not in self._clients:
            if not refused:
                return
            self._clients[client] = _Refusals(0.0, self._clock())
            if len(self._clients) > self._pace.known:
                self._clients.popitem(last=False)
        refusals = self._clients[client]
        self._clients.move_to_end(client)
        before = self._left(refusals)
        change = 1.0 if refused else -self._pace.forgiven_by_answer if status < HTTPStatus.BAD_REQUEST else 0.0
        refusals.count, refusals.at = min(self._pace.most, max(0.0, before + change)), self._clock()
        if before <= self._pace.allowed < refusals.count:
            _log.warning("a client is slowed down, as its requests are refused over and over")
        if refusals.count == 0.0:
            del self._clients[client]

    def _left(self, refusals: _Refusals) -> float:
        return max(0.0, refusals.count - self._pace.forgiven_per_s * (self._clock() - refusals.at))


def excuse(scope: Scope) -> None:
    """Do not hold a request's refusal against its client, which may have passed on what somebody else asked."""
    scope.setdefault("state", {})[_EXCUSED] = True


def _too_often(retry_after_s: float) -> Problem:
    return Problem(
        429,
        "refused-too-often",
        "Most of what this client sent lately was refused, and others wait: mend its requests, and send fewer.",
        retry_after=retry_after_s,
    )
