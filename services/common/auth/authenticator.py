"""The authenticator: judges every request by its key, ahead of everything that costs anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Protocol

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.auth.access import Access, Rule, rules_of
from services.common.auth.key import Key, Right, id_of
from services.common.auth.keyring import Keyring, Refusal
from services.common.auth.metrics import AuthenticationMetrics
from services.common.http.problems import Problem, request_id_of_scope
from services.common.settings import LOOPBACK, host_name

# What a client has sent by the time it reads a refusal is thrown away; with more than this to come it is hung up on.
_SMALL_BODY: Final = 64 * 1024
_LONGEST: Final = 200
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
    """ASGI middleware: let a request pass if its key allows what its route asks for, before its body is read.

    A route that declares nothing is for administrators. Without keys, everything but administration is open: that is
    for the machine's own user where the service listens on loopback, and closed beyond.

    Args:
        app: The wrapped application.
        api: The FastAPI application whose routes are protected; they are listed when it starts.
        keyring: The keys, or None where there are none.
        service: The service's name, for messages.
        is_loopback: Whether only this machine can reach the service.
        others: What routes ask for that are not FastAPI's own: path -> access.
        metrics: Counts of refusals.
        browser: Reads browsers' keys; None where no browsers are expected.
    """

    def __init__(
        self,
        app: ASGIApp,
        api: FastAPI,
        keyring: Keyring | None,
        *,
        service: str,
        is_loopback: bool,
        others: Mapping[str, Access],
        metrics: AuthenticationMetrics,
        browser: Browser | None = None,
    ) -> None:
        self._app = app
        self._api = api
        self._keyring = keyring
        self._service = service
        self._is_loopback = is_loopback
        self._others = others
        self._metrics = metrics
        self._browser = browser
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
        refusal = self._check(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def _check(self, scope: Scope) -> Response | None:
        rule = self._rule(scope)
        if rule is not None and not rule.access:
            return None
        if self._keyring is None:
            return self._check_without_keys(scope, rule)
        headers = Headers(scope=scope)
        text = _bearer(headers)
        if text is None and self._browser is not None:
            text = self._browser.key_from(scope)
        found = self._keyring.find(text)
        if isinstance(found, Refusal):
            page = self._browser.sign_in(scope) if self._browser is not None else None
            if page is None or found is not Refusal.MISSING:  # who comes to the page for the first time did no wrong
                self._note(scope, rule, found.value, text)
            _name_route(scope, rule)
            return page or _close_unread(headers, _unauthorized(found, scope))
        lacking = [right for right in (rule.access if rule else ()) if not found.allows(right)]
        if lacking:
            self._note(scope, rule, "scope", text)
            _name_route(scope, rule)
            return _close_unread(headers, _forbidden(lacking, scope))
        scope.setdefault("state", {})["key"] = found
        # On every line that this request writes from here on, the access log's among them.
        structlog.contextvars.bind_contextvars(key=found.id)
        return None

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


def key_of(scope: Scope) -> Key | None:
    """Look up the key that a request was let in by; None where none was asked for."""
    found = scope.get("state", {}).get("key")
    return found if isinstance(found, Key) else None


def _bearer(headers: Headers) -> str | None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    text = given.strip()
    return text if scheme.lower() == "bearer" and 0 < len(text) <= _LONGEST else None


def _unauthorized(refusal: Refusal, scope: Scope) -> Response:
    # RFC 6750, section 3: no error code where nothing was sent.
    if refusal is Refusal.MISSING:
        kind, detail, challenge = "key-required", "Send an API key: Authorization: Bearer tvqa_...", "Bearer"
    else:
        detail = "This key has expired." if refusal is Refusal.EXPIRED else "This is no key of this service."
        kind, challenge = "key-refused", 'Bearer error="invalid_token"'
    response = Problem(401, kind, detail).response(request_id_of_scope(scope))
    response.headers["WWW-Authenticate"] = challenge
    return response


def _forbidden(lacking: list[Right], scope: Scope) -> Response:
    names = " ".join(sorted(lacking))
    detail = f"This key does not allow that: it takes one with the scope {names}."
    response = Problem(403, "key-lacks-scope", detail, scope=names).response(request_id_of_scope(scope))
    response.headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{names}"'
    return response


def _close_unread(headers: Headers, response: Response) -> Response:
    stated = headers.get("content-length", "0")
    small = stated.isdecimal() and int(stated) <= _SMALL_BODY
    if not small or "transfer-encoding" in headers:
        response.headers["Connection"] = "close"
    return response
