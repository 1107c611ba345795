"""One JSON request to another service: retried with backoff inside a deadline."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import stamina
from pydantic import SecretStr

from prompt4trust.models import TransportError
from services.common.http.trace_context import trace_headers

_RETRIED = frozenset({429, 500, 502, 503, 504})
_SAID_CHARS = 2000
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")  # or a whole one, which is left as it is


class RefusedError(TransportError):
    """A server replied with an error.

    Attributes:
        said: The reply's beginning. It may quote what was asked, so it is neither logged nor passed on.
    """

    def __init__(self, service: str, detail: str, *, status: int, retry_after: float | None, said: str) -> None:
        super().__init__(service, detail, status=status, retry_after=retry_after)
        self.said = said


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How persistent a caller is.

    Attributes:
        deadline_s: Seconds for all tries together.
        attempts: Tries in all.
        wait_initial_s: First pause; it doubles up to wait_max_s, and up to wait_initial_s is added by chance.
        wait_max_s: Longest pause.
    """

    deadline_s: float = 30.0
    attempts: int = 3
    wait_initial_s: float = 0.1
    wait_max_s: float = 5.0


def bearer(api_key: str | SecretStr | None) -> dict[str, str]:
    """Make the header that shows an API key; none where there is no key, or an empty one."""
    key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    return {"Authorization": f"Bearer {key}"} if key else {}


def make_http_client(
    base_url: str, *, max_connections: int = 64, api_key: str | SecretStr | None = None
) -> httpx.AsyncClient:
    """Open a connection pool to a service.

    Args:
        base_url: Where it is; request paths are joined to it.
        max_connections: Bound of the pool; further requests wait for a connection within their deadline.
        api_key: Sent as a bearer token.

    Returns:
        A client that the caller closes. It has no timeout of its own: every call sets a deadline.
    """
    return httpx.AsyncClient(
        base_url=base_url.rstrip("/") + "/",
        timeout=httpx.Timeout(None, connect=5.0),
        limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        headers=bearer(api_key),
    )


async def post_json(
    http: httpx.AsyncClient, service: str, path: str, body: Mapping[str, Any], policy: RetrySettings
) -> dict[str, Any]:
    """Post JSON and read a JSON object.

    Args:
        http: Pool to send on.
        service: Name for errors: "policy" or "downstream".
        path: Path below the pool's base URL, without a leading slash.
        body: What to send.
        policy: Deadline and retries. Connection failures, 429 and 5xx are tried again (honouring Retry-After where
            it fits the deadline); other statuses are not.

    Returns:
        The parsed reply.

    Raises:
        TransportError: If no usable reply came within the deadline.
    """
    last: TransportError | None = None
    give_up_at = asyncio.get_running_loop().time() + policy.deadline_s

    def pause_before_retry(error: Exception) -> bool | float:
        if not isinstance(error, TransportError) or (error.status is not None and error.status not in _RETRIED):
            return False
        if error.retry_after is None:
            return True
        # A pause past the deadline would only delay the bad news.
        return error.retry_after if asyncio.get_running_loop().time() + error.retry_after < give_up_at else False

    try:
        async with asyncio.timeout(policy.deadline_s):
            async for attempt in stamina.retry_context(
                on=pause_before_retry,
                attempts=policy.attempts,
                timeout=policy.deadline_s,
                wait_initial=policy.wait_initial_s,
                wait_max=policy.wait_max_s,
                wait_jitter=policy.wait_initial_s,
            ):
                with attempt:
                    try:
                        return await _post_once(http, service, path, body)
                    except TransportError as error:
                        last = error
                        raise
    except TimeoutError:
        # The deadline fell into a pause between tries: the reason for trying again says more than the clock.
        raise last or TransportError(service, f"no reply within {policy.deadline_s:g} s", timed_out=True) from None
    raise AssertionError("the retry loop returns or raises")


async def _post_once(http: httpx.AsyncClient, service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        response = await http.post(path, json=body, headers=dict(trace_headers()))
    except httpx.TimeoutException as error:
        raise TransportError(service, "the connection timed out", timed_out=True) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TransportError(service, f"the connection failed ({type(error).__name__})") from error
    if response.status_code != 200:
        raise RefusedError(
            service,
            f"it replied with status {response.status_code}",
            status=response.status_code,
            retry_after=_seconds(response.headers.get("Retry-After")),
            said=response.text[:_SAID_CHARS],
        )
    try:
        parsed = response.json()
    except ValueError as error:
        raise TransportError(service, "its reply is not JSON", status=200) from error
    if not isinstance(parsed, dict):
        raise TransportError(service, "its reply is not a JSON object", status=200)
    found: dict[str, Any] = _unicode(parsed) if _HALF_PAIR.search(response.content) else parsed
    return found


def _unicode(value: Any) -> Any:
    """Replace halves of surrogate pairs: JSON may escape them, and no request, reply or file can hold them."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_unicode(name): _unicode(each) for name, each in value.items()}
    return [_unicode(each) for each in value] if isinstance(value, list) else value


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value is not None else None
    except ValueError:
        return None  # the date form is not worth a clock comparison: the backoff decides
