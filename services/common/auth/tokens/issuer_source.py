"""Where an issuer's public keys are read: its JWKS, at an address that is named or that the issuer itself names."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from services.common.address import is_safe_address
from services.common.auth.tokens.errors import IssuerError
from services.common.clients.http_pool import HttpCallError, HttpPool

_DISCOVERY: Final = "/.well-known/openid-configuration"
_MOST_BYTES: Final = 512 * 1024


class IssuerSource:
    """Reads the JSON Web Key Set (RFC 7517) of an issuer.

    Args:
        issuer: The issuer's identifier, an address.
        jwks_url: Where its keys are; None to ask the issuer's OpenID configuration.
        timeout_s: Seconds for each of the requests that this takes.
    """

    def __init__(self, issuer: str, jwks_url: str | None = None, *, timeout_s: float = 5.0) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._timeout_s = timeout_s

    async def read(self) -> list[Any]:
        """Read the keys as the issuer writes them.

        Raises:
            IssuerError: If they cannot be read.
        """
        url = self._jwks_url if self._jwks_url is not None else await self._discovered()
        keys = (await self._object(url, "key set")).get("keys")
        if not isinstance(keys, list):
            raise IssuerError("the issuer's key set holds no list of keys")
        return keys

    async def _discovered(self) -> str:
        found = await self._object(self._issuer.rstrip("/") + _DISCOVERY, "OpenID configuration")
        # OpenID Connect Discovery, section 4.3: another issuer's document is nobody's word for this one.
        if found.get("issuer") != self._issuer:
            raise IssuerError("the OpenID configuration is of another issuer")
        url = found.get("jwks_uri")
        if not isinstance(url, str) or not is_safe_address(url):
            raise IssuerError("the OpenID configuration names no https address of a key set")
        return url

    async def _object(self, url: str, what: str) -> dict[str, Any]:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        # Read every few minutes: a connection that is kept would be closed by then.
        async with HttpPool(origin, max_connections=1, most_bytes=_MOST_BYTES) as http:
            try:
                reply = await http.get(url.removeprefix(origin).lstrip("/"), self._timeout_s)
            except HttpCallError as error:
                raise IssuerError(f"the issuer's {what} cannot be read: {error}") from None
        if reply.status != 200:
            raise IssuerError(f"the issuer's {what} cannot be read: status {reply.status}")
        try:
            found = reply.json()
        except (ValueError, RecursionError):
            raise IssuerError(f"the issuer's {what} is not JSON") from None
        if not isinstance(found, dict):
            raise IssuerError(f"the issuer's {what} is no JSON object")
        return found
