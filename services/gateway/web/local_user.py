"""The machine's own user, who is trusted where a gateway has no keys."""

from __future__ import annotations

import ipaddress

from starlette.requests import Request

from services.common.auth import Right
from services.common.auth.authenticator import is_for_loopback
from services.common.auth.caller import caller_of


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine, and not by way of a proxy or of another site's page."""
    return _is_loopback(request) and is_for_loopback(request.scope)


def may(request: Request, right: Right) -> bool:
    """Whether whoever sent a request has a right: by a key or token, or as the machine's user where nobody is asked."""
    caller = caller_of(request.scope)
    if caller is not None:
        return caller.allows(right)
    return not request.app.state.asks_who and is_local(request)


def _is_loopback(request: Request) -> bool:
    host = request.client.host if request.client is not None else ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a Unix socket: behind it is a proxy
