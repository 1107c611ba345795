"""Checks of the header fields Host and Origin: a service without keys answers for its own names, and its own pages.

A page of another site that a person of this network looks at can have its name lead to a service here (DNS rebinding),
or post to it. Where there are keys, it has none. Where there are none, the names tell it from those who belong here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.http.problems import Problem, request_id_of_scope
from services.common.settings import host_name

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class HostCheck:
    """ASGI middleware: refuse requests for other hosts, and those that another site's page makes to change something.

    Args:
        app: The wrapped application.
        names: Host names, in lower case and without ports, that are answered; None for all.
        same_origin: Whether what changes something must come from no page, or from one of this very service.
        origins: Other sites whose pages may do so, too.
    """

    def __init__(
        self, app: ASGIApp, *, names: frozenset[str] | None, same_origin: bool, origins: Collection[str] = ()
    ) -> None:
        self._app = app
        self._names = names
        self._same_origin = same_origin
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other ASGI scopes pass through."""
        problem = self._check(scope) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
            return
        response = problem.response(request_id_of_scope(scope))
        response.headers["Connection"] = "close"
        await response(scope, receive, send)

    def _check(self, scope: Scope) -> Problem | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 and (hosts or scope["http_version"] != "1.0"):
            return Problem(400, "one-host", "A request has one Host field.")
        host = hosts[0].decode("latin-1").strip().lower() if hosts else ""
        if self._names is not None and hosts and host_name(host) not in self._names:
            return Problem(
                403,
                "unknown-host",
                "This service answers for its own names only, as long as it has no keys: give it keys, or name this "
                "host in its setting allowed_hosts.",
            )
        origins = [value.decode("latin-1").strip().lower() for name, value in scope["headers"] if name == b"origin"]
        foreign = [each for each in origins if _site(each) != host and each not in self._origins]
        if self._same_origin and scope["method"] not in _READING and foreign:
            return Problem(403, "foreign-origin", "Pages of other sites may not do this here, as it has no keys.")
        return None


def _site(origin: str) -> str:
    """Host and port of an origin, as a Host field has them; "null" for the origin of no site."""
    try:
        return urlsplit(origin).netloc or "null"
    except ValueError:
        return "null"
