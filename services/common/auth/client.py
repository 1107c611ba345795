"""The client behind a request, for bounds that are shared out fairly."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from starlette.types import Scope

from services.common.auth.caller import caller_of

_IPV6_SITE = 64
"""Bits of an IPv6 address that a client was given; it chooses the others itself."""


def client_of(scope: Scope) -> str:
    """Name the client of a request.

    Args:
        scope: The request's ASGI scope, once the authenticator has let it pass.

    Returns:
        The id of its key, or the name of its token's subject; where neither is asked for, its address, of which IPv6's
        first half counts.

    Example:
        >>> client_of({"type": "http", "client": ("203.0.113.7", 50000)})
        '203.0.113.7'
        >>> client_of({"type": "http", "client": ("2001:db8::7", 50000)})
        '2001:db8::/64'
    """
    caller = caller_of(scope)
    return caller.id if caller is not None else site_of_scope(scope)


def site_of_scope(scope: Scope) -> str:
    """Name the address that a request comes from, whoever sent it; "" where there is none."""
    return _site_of(str(scope["client"][0]) if scope.get("client") else "")


@lru_cache(maxsize=1024)
def _site_of(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a Unix socket, or a proxy's word for it
        return host
    if address.version == 4 or address.is_loopback:
        return str(address)
    return str(ipaddress.ip_network((int(address), _IPV6_SITE), strict=False))
