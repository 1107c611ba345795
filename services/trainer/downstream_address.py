"""The downstream model's address, looked at before anything is asked: who answers there, and whether it is the API."""

from __future__ import annotations

import httpx
from pydantic import SecretStr

from services.common.clients.bearer import bearer
from services.trainer.errors import KeyRefusedError, WrongAddressError

_KEY_WANTED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_ROUTES = ("/models", "/chat/completions", "/completions")
"""Routes that an address is sometimes given with, although it is that of the API."""


def check_downstream(url: str, key: SecretStr | None = None, *, timeout_s: float = 10.0) -> None:
    """Make sure that somebody answers at an address, that it is that of an API, and that no other key is asked for.

    A server without a list of models is left to its replies, unless there is one at an address that is often meant.

    Args:
        url: OpenAI-compatible base URL, as a rule with /v1.
        key: The API key to show, or None.
        timeout_s: Longest wait for a reply, in seconds.

    Raises:
        WrongAddressError: If the API is found at another address.
        KeyRefusedError: If another key is asked for, or any.
        httpx.HTTPError: If nobody answers; the two above are such, too.
    """
    given = url.rstrip("/")
    with httpx.Client(headers=bearer(key), timeout=timeout_s) as http:
        reply = http.get(f"{given}/models")
        status = reply.status_code
        if status < httpx.codes.INTERNAL_SERVER_ERROR and not (_lists_models(reply) or status in _KEY_WANTED):
            _look_elsewhere(http, given, url)
    if status in _KEY_WANTED:
        raise KeyRefusedError(f"status {status}")


def _look_elsewhere(http: httpx.Client, given: str, url: str) -> None:
    base = given
    for ending in _ROUTES:
        base = base.removesuffix(ending)
    for better in dict.fromkeys((base, f"{base}/v1")):
        if better == given:
            continue
        reply = http.get(f"{better}/models")
        if _lists_models(reply) or (reply.status_code in _KEY_WANTED and better.endswith("/v1")):
            raise WrongAddressError(url, better)


def _lists_models(reply: httpx.Response) -> bool:
    try:
        found = reply.json() if reply.is_success else None
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("data"), list)
