"""One connection to a gateway: requests within a deadline, again where that may help, and errors with names."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from trustvqa.client.errors import (
    ClientError,
    DeadlineError,
    GatewayUnreachableError,
    NotAGatewayError,
    ProblemError,
    problem_error,
)
from trustvqa.client.plain.request import CONNECT_S, MAX_REPLY, UnsentError
from trustvqa.client.transport.patience import Patience, tried


class GatewayConnection:
    """Requests to one gateway.

    Args:
        http: A client of httpx with the gateway's address and headers.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._url = str(http.base_url.copy_with(userinfo=b"")).rstrip("/")

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def json(self, method: str, path: str, patience: Patience, **request: Any) -> Any:
        """Make a request, again where that may help, and read its JSON.

        Args:
            method: The HTTP method.
            path: The path.
            patience: How long.
            request: What httpx sends: `data`, `files`, `json`, `params`, `headers`.

        Raises:
            ClientError: If there is no good reply.
        """

        async def once(within_s: float) -> Any:
            headers = dict(request.get("headers") or {})
            if path == "/vqa":
                headers["Prefer"] = f"wait={max(1, math.ceil(within_s))}"
            async with self.reply(method, path, within_s, **{**request, "headers": headers}) as reply:
                return _json_of(await _content(reply))

        return await tried(once, patience)

    @asynccontextmanager
    async def reply(self, method: str, path: str, within_s: float, **request: Any) -> AsyncIterator[httpx.Response]:
        """Have the good reply to one request for the length of a block, its body not yet read.

        Raises:
            ProblemError: If it is a refusal.
            DeadlineError: If it, or its body, does not come in time.
            GatewayUnreachableError: If the connection fails, then or while the body is read.
        """
        try:
            async with (
                asyncio.timeout(within_s),
                self._http.stream(method, path, timeout=_timeout(within_s), **request) as response,
            ):
                if not response.is_success:
                    raise _refusal(response, await _content(response))
                yield response
        except ClientError:
            raise
        except (httpx.ConnectTimeout, httpx.PoolTimeout):
            raise UnsentError("no connection in time", self._url) from None
        except (httpx.TimeoutException, TimeoutError):
            raise DeadlineError(f"no answer from {self._url} within {within_s:.3g} s") from None
        except (httpx.LocalProtocolError, UnicodeEncodeError) as error:
            # Not in its own words, which hold what was to be written, a key perhaps.
            raise GatewayUnreachableError(f"no request could be made: {type(error).__name__}", self._url) from None
        except (httpx.HTTPError, httpx.StreamError, AttributeError) as error:
            # AttributeError: what a connection that is reset as it is made has been seen to come to in httpx.
            said = str(error) or type(error).__name__
            kind = UnsentError if isinstance(error, httpx.ConnectError) else GatewayUnreachableError
            raise kind(said, self._url) from error


def _timeout(within_s: float) -> httpx.Timeout:
    # A host that is not there need not take the time of an answer.
    return httpx.Timeout(within_s, connect=min(within_s, CONNECT_S))


async def _content(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_REPLY:
            raise NotAGatewayError(f"the reply has more than {MAX_REPLY} bytes")
    return bytes(body)


def _json_of(body: bytes) -> Any:
    try:
        return httpx.Response(200, content=body).json()
    except (ValueError, RecursionError):
        raise NotAGatewayError("the reply is no JSON: does a TrustVQA gateway answer at this address?") from None


def _refusal(response: httpx.Response, body: bytes) -> ProblemError:
    try:
        document = httpx.Response(200, content=body).json()
    except (ValueError, RecursionError):
        document = None
    after = response.headers.get("Retry-After", "")
    return problem_error(response.status_code, document, float(after) if after.isdecimal() else None)
