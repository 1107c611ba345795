"""Addresses that strangers give: their host, by which an operator's list allows or refuses them."""

from __future__ import annotations

from urllib.parse import urlsplit


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
