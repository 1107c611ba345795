"""Access tokens that programs show in place of an API key: a text, or whatever gives a fresh one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeAlias

import httpx

from trustvqa.client.api_key import UnreadableKeyError, is_writable, secret_in
from trustvqa.client.headers import bearer_header

TokenProvider: TypeAlias = Callable[[], str]
"""Gives a token that is good now. Called before every request, in the event loop: it must not wait for long."""


class BearerToken(httpx.Auth):
    """Shows a token with every request.

    Args:
        token: The token, or what gives one.

    Example:
        >>> request = httpx.Request("GET", "https://trustvqa.example")
        >>> next(BearerToken(lambda: "abc").auth_flow(request)).headers["Authorization"]
        'Bearer abc'
    """

    def __init__(self, token: str | TokenProvider) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the token into a request.

        Raises:
            UnreadableKeyError: If it cannot stand in a header; the message does not show it.
        """
        text = self._token if isinstance(self._token, str) else self._token()
        request.headers.update(bearer_header(text, "token"))
        yield request


def token_in(path: Path) -> TokenProvider:
    """Read the token from a file anew each time, as whoever fetches tokens writes a fresh one there.

    Args:
        path: The file.

    Returns:
        The provider; it raises UnreadableKeyError where the file cannot be read or is empty.
    """

    def read() -> str:
        try:
            text = secret_in(path)
        except (OSError, ValueError) as error:
            raise UnreadableKeyError(f"the token in {path} cannot be read ({type(error).__name__})") from None
        if not text or not is_writable(text):
            raise UnreadableKeyError(f"{path} holds no token")
        return text

    return read
