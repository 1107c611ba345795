"""Addresses that strangers give, and those of public keys: their host, and whether they can be believed."""

from __future__ import annotations

import ipaddress
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator


def check_http_address(url: str) -> str:
    """Give an address back that a service can be asked at.

    Raises:
        ValueError: If it is none of http or https, names no host, has a port that is none, blanks, or a query or a
            fragment, behind which no path can be put: it would be found out by the first question.

    Example:
        >>> check_http_address("http://127.0.0.1:8082/v1")
        'http://127.0.0.1:8082/v1'
    """
    if any(sign.isspace() or sign < " " for sign in url):
        raise ValueError("an address has no blanks")
    try:
        parts = urlsplit(url)
        is_port = parts.port != 0  # raises ValueError where it is no number, or one too large
    except ValueError:
        is_port = False
    if not is_port:
        raise ValueError("an address has a host and a port from 1 to 65535, such as 127.0.0.1:8082")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address begins with http:// or https://, such as http://127.0.0.1:8082/v1")
    if "?" in url or "#" in url:
        raise ValueError("an address ends with its path, such as http://127.0.0.1:8082/v1, without ? or #")
    return url


HttpAddress: TypeAlias = Annotated[str, AfterValidator(check_http_address)]
"""Address of a service, of http or https."""


def host_of(url: str) -> str | None:
    """Find the host of an address that somebody gave.

    Args:
        url: The address.

    Returns:
        The host in lower case; None where this is no http or https address, or one with a user's name in it, which
        is how an address is made to look like another's.

    Example:
        >>> host_of("https://Hospital.example./hook")
        'hospital.example'
        >>> host_of("https://hospital.example@elsewhere.example/")
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or parts.username is not None:
        return None
    return (parts.hostname or "").lower().rstrip(".")


def is_safe_address(url: str) -> bool:
    """Whether keys may be read from an address: by TLS, or on this very machine; without a user's name.

    Example:
        >>> is_safe_address("https://login.example/keys"), is_safe_address("http://login.example/keys")
        (True, False)
        >>> is_safe_address("http://127.0.0.1:9000/keys")
        True
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - raises ValueError where it is no number
    except ValueError:
        return False
    if parts.username is not None or parts.fragment or not host or any(sign <= " " for sign in url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host))


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
