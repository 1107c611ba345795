"""Pooled HTTP connections to one service.

By aiohttp, which takes a fifth of httpx's processor time for a request (docs/performance.md): two of them are in every
answer of the gateway. What calls now and then goes on using httpx.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from pydantic import SecretStr
from pydantic_core import from_json
from yarl import URL

from services.common.clients.bearer import bearer

_CONNECT_S: Final = 5.0
# Less than the five seconds after which many servers hang up on idle connections.
_KEPT_S: Final = 4.0
_BLOCK: Final = 1 << 20
_MOST_REPLIED: Final = 1 << 27


class HttpCallError(Exception):
    """A request got no complete reply.

    Attributes:
        timed_out: Whether the time was up.
    """

    def __init__(self, detail: str, *, timed_out: bool = False) -> None:
        super().__init__(detail)
        self.timed_out = timed_out


class NotConnectedError(HttpCallError):
    """No connection came about, so that nothing was asked."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of any status.

    Attributes:
        status: The status.
        headers: Its headers; names in any case.
        body: Its body, decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Read the body as JSON; raises ValueError where it is none.

        By pydantic's reader, in half the time; by Python's where that refuses what some servers send: halves of
        surrogate pairs, other encodings.
        """
        try:
            return from_json(self.body)
        except ValueError:
            pass
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deeply") from None


class HttpPool:
    """Connections to a service, opened when they are needed; an async context manager, or call aclose.

    It belongs to the event loop of its first request. Proxies are taken from the environment, as are certificates
    (SSL_CERT_FILE). Redirects are not followed and cookies not kept.

    Args:
        base_url: Where the service is; request paths are joined to it.
        max_connections: Bound of the pool; further requests wait for a connection within their deadline.
        api_key: Sent as a bearer token.
        most_bytes: Largest body of a reply.
    """

    def __init__(
        self,
        base_url: str,
        *,
        max_connections: int = 64,
        api_key: str | SecretStr | None = None,
        most_bytes: int = _MOST_REPLIED,
    ) -> None:
        self._most_bytes = most_bytes
        self.base_url = base_url.rstrip("/") + "/"
        self._max_connections = max_connections
        self._headers = bearer(api_key)
        self._session: aiohttp.ClientSession | None = None

    @property
    def host(self) -> str:
        """The host that is asked, as the HTTP library itself reads the address; "" where there is none."""
        try:
            return URL(self.base_url).host or ""
        except ValueError:
            return ""

    async def __aenter__(self) -> Self:
        """Do nothing yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, timeout_s: float) -> Reply:
        """Get what a path has; half of the time may be spent on connecting. Raises HttpCallError."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._request("GET", path, None, {}, timeout_s / 2)
        except TimeoutError:
            raise HttpCallError("no reply in time", timed_out=True) from None

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Post a body.

        Args:
            path: Path below the base URL, without a leading slash.
            body: What to send.
            headers: Of this request alone.

        Returns:
            The reply, whatever its status. There is no deadline but for connecting: the caller has one.

        Raises:
            HttpCallError: If no complete reply came.
        """
        return await self._request("POST", path, body, headers, _CONNECT_S)

    async def _request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], connect_s: float
    ) -> Reply:
        # aiohttp writes a file in blocks, and would have bytes hold the event loop while they are copied.
        data = BytesIO(body) if body is not None and len(body) > _BLOCK else body
        try:
            if self._session is None:
                self._session = self._open()
            async with self._session.request(
                method,
                self.base_url + path,
                data=data,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
            ) as response:
                return Reply(response.status, response.headers, await _body_of(response, self._most_bytes))
        except aiohttp.ConnectionTimeoutError as error:
            raise NotConnectedError("the connection timed out", timed_out=True) from error
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError) as error:
            raise NotConnectedError(f"the connection failed ({type(error).__name__})") from error
        except HttpCallError:
            raise
        except Exception as error:
            # Whatever a library makes of a connection that is reset in the midst of something: no fault of the request.
            raise HttpCallError(f"the connection failed ({type(error).__name__})") from error

    def _open(self) -> aiohttp.ClientSession:
        scheme = URL(self.base_url).scheme
        verify: ssl.SSLContext | bool = httpx.create_ssl_context() if scheme == "https" else True
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_connections, ssl=verify, keepalive_timeout=_KEPT_S),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=_proxy_for(scheme, self.host),
        )


async def _body_of(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > most_bytes:
            raise HttpCallError(f"its reply is larger than {most_bytes / 2**20:g} MB")
    return b"".join(parts)


def _proxy_for(scheme: str, host: str) -> str | None:
    proxies = getproxies()
    found = proxies.get(scheme, proxies.get("all"))
    return None if found is None or proxy_bypass(host) else found
