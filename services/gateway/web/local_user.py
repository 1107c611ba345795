"""The machine's own user, who is trusted where a gateway has no keys."""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.requests import Request

from services.common.auth import Right
from services.common.auth.authenticator import key_of
from services.common.settings import LOOPBACK, host_name


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine, and not by way of a proxy or of another site's page."""
    headers = Headers(scope=request.scope)
    host = headers.get("host", "").lower()
    if host_name(host) not in LOOPBACK or not _is_loopback(request):
        return False
    origin = headers.get("origin")
    return origin is None or origin.lower() in (f"http://{host}", f"https://{host}")


def may(request: Request, right: Right) -> bool:
    """Whether whoever sent a request has a right: by a key, or as the machine's user where there are no keys."""
    key = key_of(request.scope)
    if key is not None:
        return key.allows(right)
    return request.app.state.keyring is None and is_local(request)


def _is_loopback(request: Request) -> bool:
    host = request.client.host if request.client is not None else ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a Unix socket: behind it is a proxy
