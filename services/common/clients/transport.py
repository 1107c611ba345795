"""JSON requests to other services, over pooled connections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from prompt4trust.models import TransportError
from services.common.clients.errors import RefusedError
from services.common.clients.retries import RetrySettings, retried
from services.common.http.trace_context import trace_headers

_SAID_CHARS = 2000
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")  # or a whole one, which is left as it is


def bearer(api_key: str | SecretStr | None) -> dict[str, str]:
    """Make the header that shows an API key; none where there is no key, or an empty one."""
    key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    return {"Authorization": f"Bearer {key}"} if key else {}


class HttpClient(httpx.AsyncClient):
    """httpx's client, whose every failure to get a reply is one of httpx's errors.

    A connection that is reset as soon as it is made, as by a proxy whose service has just gone, has been seen to come
    out of the libraries below as AttributeError: a failed connection all the same, and no fault of the request.
    """

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request."""
        try:
            return await super().send(request, **options)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            raise
        except Exception as error:
            raise httpx.ReadError(f"the connection ended ({type(error).__name__})", request=request) from error


def make_http_client(base_url: str, *, max_connections: int = 64, api_key: str | SecretStr | None = None) -> HttpClient:
    """Open a connection pool to a service.

    Args:
        base_url: Where it is; request paths are joined to it.
        max_connections: Bound of the pool; further requests wait for a connection within their deadline.
        api_key: Sent as a bearer token.

    Returns:
        A client that the caller closes. It has no timeout of its own: every call sets a deadline.
    """
    return HttpClient(
        base_url=base_url.rstrip("/") + "/",
        timeout=httpx.Timeout(None, connect=5.0),
        limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        headers=bearer(api_key),
    )


async def post_json(
    http: httpx.AsyncClient, service: str, path: str, body: Mapping[str, Any], retry: RetrySettings
) -> dict[str, Any]:
    """Post JSON and read a JSON object.

    Args:
        http: Pool to send on.
        service: Name for errors: "policy" or "downstream".
        path: Path below the pool's base URL, without a leading slash.
        body: What to send.
        retry: Deadline and retries.

    Returns:
        The parsed reply.

    Raises:
        TransportError: If no usable reply came within the deadline.
    """
    return await retried(lambda: _post_once(http, service, path, body), service, retry)


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
