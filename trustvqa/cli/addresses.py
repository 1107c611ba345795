"""Options that name a service's address, checked before anything is asked."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import typer


def checked_address(url: str | None) -> str | None:
    """Check that a text is an address with scheme and host; without one, a request would fail after all retries.

    Args:
        url: The text, or None where none was given.

    Returns:
        It, as it was given.

    Raises:
        typer.BadParameter: If it is none; the message says what it may have been meant as.

    Example:
        >>> checked_address("http://ward.example:8080/")
        'http://ward.example:8080/'
    """
    if url is None:
        return None
    if "://" not in url:
        raise typer.BadParameter(f"{url!r} has no scheme: http://{url} is perhaps meant")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        usable = usable and not any(sign <= " " for sign in url)
    except ValueError:  # a port that is no number, or brackets that do not close
        usable = False
    if not usable:
        raise typer.BadParameter(f"{url!r} is no address: it takes http:// or https://, a host, and perhaps a port")
    return url


_FOUND = "by default that of the stack that `trustvqa up` runs from this directory, else http://127.0.0.1:"
GATEWAY_OPTIONS = ("--gateway", "--url")
"""How every command names a gateway: as what it is, like other services, or by the word of benchmarks."""
GatewayAddress = Annotated[
    str | None,
    typer.Option(
        *GATEWAY_OPTIONS,
        envvar="TRUSTVQA_URL",
        callback=checked_address,
        help=f"The gateway's address; {_FOUND}8080.",
        metavar="URL",
    ),
]
PolicyAddress = Annotated[
    str | None,
    typer.Option(
        "--policy", callback=checked_address, help=f"The policy service's address; {_FOUND}8081.", metavar="URL"
    ),
]
TrainerAddress = Annotated[
    str | None,
    typer.Option("--trainer", callback=checked_address, help=f"The trainer's address; {_FOUND}8083.", metavar="URL"),
]
