"""The authenticator: judges every request by its key or token, ahead of everything that costs anything."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.auth.access import Access, Rule, rules_of
from services.common.auth.caller import Caller, note_caller
from services.common.auth.client import site_of_scope
from services.common.auth.credentials import Credentials
from services.common.auth.guesses import Guesses
from services.common.auth.key import Right, id_of
from services.common.auth.metrics import AuthenticationMetrics
from services.common.auth.refusal_replies import Refused
from services.common.http.problems import Problem, request_id_of_scope
from services.common.settings import LOOPBACK, host_name

# What a client has sent by the time it reads a refusal is thrown away; with more than this to come it is hung up on.
_SMALL_BODY: Final = 64 * 1024
_MOST_HELD: Final = 64
_LONGEST_HELD_S: Final = 2.0
_UNDECLARED: Final = Rule("undeclared", re.compile(""), None, frozenset({Right.ADMIN}), declared=False)
_log = structlog.get_logger(__name__)


class Browser(Protocol):
    """Keys as people in browsers show them; the gateway has pages, the other services have none."""

    def key_from(self, scope: Scope) -> str | None:
        """Read the key that a browser sends by itself, unless another site's page made it do so."""
        ...

    def sign_in(self, scope: Scope) -> Response | None:
        """Lead whoever wants a page to where a key can be shown; None for programs."""
        ...


class Authenticator:
    """ASGI middleware: let a request pass if its key or token allows what its route asks for, before its body is read.

    A route that declares nothing is for administrators. Without keys and issuers of tokens, everything but
    administration is open: that is for the machine's own user where the service listens on loopback, and closed beyond.

    Args:
        app: The wrapped application.
        api: The FastAPI application whose routes are protected; they are listed when it starts.
        credentials: The keys and the issuers of tokens, or None where there are none.
        service: The service's name, for messages.
        is_loopback: Whether only this machine can reach the service.
        others: What routes ask for that are not FastAPI's own: path -> access.
        metrics: Counts of refusals.
        browser: Reads browsers' keys; None where no browsers are expected.
        guesses: Counts wrong keys.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        api: FastAPI,
        credentials: Credentials | None,
        *,
        service: str,
        is_loopback: bool,
        others: Mapping[str, Access],
        metrics: AuthenticationMetrics,
        browser: Browser | None = None,
        guesses: Guesses | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._api = api
        self._credentials = credentials
        self._service = service
        self._is_loopback = is_loopback
        self._others = others
        self._metrics = metrics
        self._browser = browser
        self._guesses = guesses if guesses is not None else Guesses()
        self._sleep = sleep
        self._held = 0
        self._rules: list[Rule] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the application's start and end pass through."""
        if scope["type"] == "lifespan":
            # Before the first request: FastAPI makes what it knows of included routers when it is first looked at.
            self._rules = rules_of(self._api, self._others)
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"nothing here speaks {scope['type']}")
        refusal = await self._check(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    async def _check(self, scope: Scope) -> Response | None:
        rule = self._rule(scope)
        if rule is not None and not rule.access:
            return None
        if self._credentials is None:
            return self._check_without_keys(scope, rule)
        headers = Headers(scope=scope)
        text = _bearer(headers)
        if text is None and self._browser is not None:
            text = self._browser.key_from(scope)
        found = await self._credentials.judge(text, scope)
        if isinstance(found, Refused):
            page = self._browser.sign_in(scope) if self._browser is not None else None
            if page is None or found.shown != "nothing":  # who comes to the page for the first time did no wrong
                self._note(scope, rule, found.reason, text)
            _name_route(scope, rule)
            away_s = self._guesses.note(site_of_scope(scope), text) if found.is_guess and text is not None else 0.0
            if away_s > 0.0:
                return await self._late(away_s, scope)
            return page or _close_unread(headers, _unauthorized(found, scope))
        lacking = [right for right in (rule.access if rule else ()) if not found.allows(right)]
        if lacking:
            self._note(scope, rule, "scope", text)
            _name_route(scope, rule)
            return _close_unread(headers, _forbidden(lacking, found, scope))
        note_caller(scope, found)
        # On every line that this request writes from here on, the access log's among them.
        structlog.contextvars.bind_contextvars(**{found.kind: found.id})
        return None

    async def _late(self, away_s: float, scope: Scope) -> Response:
        """Answer a wrong credential late, so that whoever tries one after the other tries few."""
        if self._held < _MOST_HELD:
            self._held += 1
            try:
                await self._sleep(min(away_s, _LONGEST_HELD_S))
            finally:
                self._held -= 1
        self._metrics.refusals.labels("guessing").inc()
        detail = "Too many wrong keys came from this address, or for this key. A right one is taken at once."
        response = Problem(429, "too-many-wrong-keys", detail, retry_after=away_s).response(request_id_of_scope(scope))
        response.headers["Connection"] = "close"
        return response

    def _check_without_keys(self, scope: Scope, rule: Rule | None) -> Response | None:
        if rule is None or Right.ADMIN not in rule.access:
            return None
        headers = Headers(scope=scope)
        if not self._is_loopback:
            why = (
                "Administration is closed: this service listens beyond its own machine and has no keys. "
                f"Name a file of keys in TRUSTVQA_{self._service.upper()}_API_KEYS."
            )
        elif not is_for_loopback(scope):
            # Another site's page in a browser on this machine reaches loopback too, without its user having meant it;
            # by a name of its own that leads there, or through a proxy, so does whoever else.
            why = "Administration without keys is for this machine's user, not for other sites' pages or proxies."
        else:
            return None
        self._note(scope, rule, "closed", None)
        _name_route(scope, rule)
        return _close_unread(headers, Problem(403, "administration-closed", why).response(request_id_of_scope(scope)))

    def _rule(self, scope: Scope) -> Rule | None:
        """Find the route of a request: the first that takes it, as the router itself does."""
        if self._rules is None:
            self._rules = rules_of(self._api, self._others)
        path = scope["path"]
        found = next((rule for rule in self._rules if rule.takes(scope["method"], path)), None)
        if found is None and any(route.matches(scope)[0] is Match.FULL for route in self._api.routes):
            return _UNDECLARED  # the router knows better than the list here; whatever it is, nobody said who may ask
        return found

    def _note(self, scope: Scope, rule: Rule | None, reason: str, text: str | None) -> None:
        self._metrics.refusals.labels(reason).inc()
        _log.warning(
            "refused",
            reason=reason,
            method=scope["method"],
            route="unmatched" if rule is None else rule.path,
            key=None if text is None else id_of(text),
        )


def is_for_loopback(scope: Scope) -> bool:
    """Whether a request is for loopback by its name, from a program or the service's own page, past no proxy.

    A proxy on this machine reaches the service as its user does, and some name loopback as the host, as nginx does
    unless it is told otherwise. What they add to a request gives them away, or HTTP/1.0, which clients of today
    do not speak. One that hides all that cannot be told from the user: a service behind a proxy needs keys.
    """
    headers = Headers(scope=scope)
    if scope["http_version"] == "1.0" or any(_is_of_proxy(name) for name in headers):
        return False
    host = headers.get("host", "").lower()
    origin = headers.get("origin")
    is_own_page = origin is None or origin.lower() in (f"http://{host}", f"https://{host}")
    return is_own_page and host_name(host) in LOOPBACK


def _is_of_proxy(name: str) -> bool:
    return name in ("forwarded", "via", "x-real-ip") or name.startswith("x-forwarded-")


def _name_route(scope: Scope, rule: Rule | None) -> None:
    """Note which route was meant, for the request's line and figures: the router, which else does, is never asked."""
    if rule is not None:
        scope["route"] = rule


def _bearer(headers: Headers) -> str | None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    text = given.strip()
    return text if scheme.lower() == "bearer" and text else None


def _unauthorized(refused: Refused, scope: Scope) -> Response:
    response = Problem(401, refused.kind, refused.detail).response(request_id_of_scope(scope))
    response.headers["WWW-Authenticate"] = refused.challenge
    return response


def _forbidden(lacking: list[Right], caller: Caller, scope: Scope) -> Response:
    names = " ".join(sorted(lacking))
    if caller.kind == "key":
        detail = f"This key does not allow that: it takes one with the scope {names}."
    else:
        detail = f"The scopes of this token do not allow that: it takes the right {names}."
    response = Problem(403, f"{caller.kind}-lacks-scope", detail, scope=names).response(request_id_of_scope(scope))
    response.headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{names}"'
    return response


def _close_unread(headers: Headers, response: Response) -> Response:
    stated = headers.get("content-length", "0")
    small = stated.isdecimal() and int(stated) <= _SMALL_BODY
    if not small or "transfer-encoding" in headers:
        response.headers["Connection"] = "close"
    return response
