"""The bounds on one caller's requests, ahead of their bodies, with the headers that tell of them.

The headers are those of the IETF's draft "RateLimit header fields for HTTP".
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.auth.caller import caller_of
from services.common.auth.client import client_of
from services.common.http.problems import Problem, request_id_of_scope
from services.common.http.rate_limits.allowances import Allowance, Allowances
from services.common.http.rate_limits.counter import Counted, RequestCounter
from services.common.http.rate_limits.places import AddressPlaces

_UNCOUNTED: Final = frozenset({"/metrics"})


class RateLimiting:
    """ASGI middleware: answer 429 where a caller asks more often, or more at once, than it may.

    Every request of a key or token counts once, whatever its answer: a chat, a batch and an event stream are one, for
    as long as they last. Where nobody is asked who he is, posts count, by address. Open routes and /metrics do not.

    Args:
        app: The wrapped application.
        allowances: How much each caller may ask.
        counter: Counts.
        places: Sorts the addresses that count.
        asks_who: Whether the service asks for keys or tokens.
        processes: Processes of this service among which requests at once are shared out.
    """

    def __init__(
        self,
        app: ASGIApp,
        allowances: Allowances,
        counter: RequestCounter,
        places: AddressPlaces,
        *,
        asks_who: bool,
        processes: int = 1,
    ) -> None:
        self._app = app
        self._allowances = allowances
        self._counter = counter
        self._places = places
        self._asks_who = asks_who
        self._processes = processes
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what does not count passes through."""
        if scope["type"] != "http" or scope["path"] in _UNCOUNTED or not self._counts(scope):
            await self._app(scope, receive, send)
            return
        caller = caller_of(scope)
        allowance = self._allowances.of(caller).among(self._processes)
        client = client_of(scope) if caller is not None else self._places.of(client_of(scope))
        counted = None if allowance.rate is None else await self._counter.count(client, allowance.rate)
        refusal = self._refusal(allowance, client, counted)

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._tell(MutableHeaders(scope=message), allowance, client, counted)
            await send(message)

        if refusal is not None:
            response = refusal.response(request_id_of_scope(scope))
            response.headers["Connection"] = "close"  # its body is not read
            await response(scope, receive, telling)
            return
        self._under_way[client] += 1
        try:
            await self._app(scope, receive, telling)
        finally:
            self._under_way[client] -= 1
            if self._under_way[client] <= 0:
                del self._under_way[client]

    def _counts(self, scope: Scope) -> bool:
        return caller_of(scope) is not None if self._asks_who else scope["method"] == "POST"

    def _refusal(self, allowance: Allowance, client: str, counted: Counted | None) -> Problem | None:
        if counted is not None and not counted.allowed:
            assert allowance.rate is not None  # noqa: S101 - it was counted against
            count, seconds = allowance.rate
            detail = f"This caller may send {count} requests in {seconds} s."
            return Problem(429, "rate-exceeded", detail, retry_after=counted.reset_s, policy=allowance.name)
        if allowance.concurrent is not None and self._under_way[client] >= allowance.concurrent:
            detail = (
                f"{allowance.concurrent} requests of this caller are being answered, which is all that it may have."
            )
            return Problem(429, "too-many-at-once", detail, retry_after=1, policy=allowance.name)
        return None

    def _tell(self, headers: MutableHeaders, allowance: Allowance, client: str, counted: Counted | None) -> None:
        policies, states = [], []
        if allowance.rate is not None and counted is not None:
            policies.append(f'"{allowance.name}";q={allowance.rate[0]};w={allowance.rate[1]}')
            states.append(f'"{allowance.name}";r={counted.remaining};t={counted.reset_s}')
        if allowance.concurrent is not None:
            left = max(0, allowance.concurrent - self._under_way[client])
            policies.append(f'"{allowance.name}-at-once";q={allowance.concurrent};qu="concurrent-requests"')
            states.append(f'"{allowance.name}-at-once";r={left}')
        if policies:
            headers["RateLimit-Policy"] = ", ".join(policies)
            headers["RateLimit"] = ", ".join(states)
