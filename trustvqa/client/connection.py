"""One connection to a gateway: requests within a deadline, again where that may help, and errors with names."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

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

_LOG = logging.getLogger("trustvqa.client")
_AGAIN = frozenset({429, 502, 503, 504})
_REFUSED_AT_ONCE = frozenset({429, 503})
"""Statuses that say that nothing was done."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take, and how long it is begun anew.

    Attributes:
        deadline_s: Seconds for all tries together, pauses included.
        again_s: Seconds within which a further try may begin; 0 to try once.
        try_s: Longest time of one try, in seconds.
        repeatable: Whether the request may have been carried out although its reply was lost, and does no harm if it
            is carried out twice.
        away_s: Seconds within which a further try may begin where no connection could be made.
        noted: Told why it is tried again, each time that it is.
        failed: How a try failed that was made elsewhere: it counts as the first one.
    """

    deadline_s: float
    again_s: float = math.inf
    try_s: float = math.inf
    repeatable: bool = True
    away_s: float = math.inf
    noted: Callable[[str], None] = lambda _: None
    failed: ClientError | None = None


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

        return await self.tried(once, patience)

    async def tried(self, once: Callable[[float], Awaitable[_T]], patience: Patience) -> _T:
        """Do something until it succeeds, or trying again would not help, or it is too late.

        Args:
            once: Tries it within so many seconds.
            patience: How long.

        Raises:
            ClientError: Why the last try failed.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        last: ClientError | None = None
        failed = patience.failed

        def pause(error: ClientError, tries: int) -> float | None:
            nonlocal last
            if not _is_worth_it(error, repeatable=patience.repeatable):
                return None
            last = error
            wait = error.retry_after if isinstance(error, ProblemError) else None
            until_s = min(patience.again_s, patience.deadline_s)
            if isinstance(error, UnsentError):
                until_s = min(until_s, patience.away_s)
            if clock() - began + (wait or 0.0) >= until_s:
                return None
            patience.noted(_reason(error))
            if wait is None:
                wait = min(_FIRST_PAUSE_S * (2 ** min(tries, 10) + random.random()), _LONGEST_PAUSE_S)  # noqa: S311
            _LOG.info("%s: asking again in %.2f s", error, wait)
            return wait

        try:
            async with asyncio.timeout(patience.deadline_s):
                # Not by stamina, which would tell of each try on the standard output of whoever uses this library.
                for tries in itertools.count():
                    try:
                        if failed is not None:
                            before, failed = failed, None
                            raise before
                        left_s = patience.deadline_s - (clock() - began)
                        return await once(max(min(left_s, patience.try_s), 0.001))
                    except ClientError as error:
                        wait = pause(error, tries)
                        if wait is None:
                            raise
                    await asyncio.sleep(wait)
        except TimeoutError as error:
            if isinstance(error, DeadlineError):
                raise
            # In a pause between tries the reason for trying again says more than the clock.
            raise last or DeadlineError(f"no answer within {patience.deadline_s:g} s") from None
        raise AssertionError("the loop returns or raises")

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


def _is_worth_it(error: ClientError, *, repeatable: bool) -> bool:
    if isinstance(error, ProblemError):
        return error.status in (_AGAIN if repeatable else _REFUSED_AT_ONCE)
    return isinstance(error, UnsentError) or (repeatable and isinstance(error, GatewayUnreachableError))


def _reason(error: ClientError) -> str:
    return (
        f"it replied with status {error.status}"
        if isinstance(error, ProblemError)
        else getattr(error, "said", str(error))
    )
