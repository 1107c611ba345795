"""httpx, for calls now and then: what other libraries below it stumble over is told as a failed connection."""

from __future__ import annotations

from typing import Any

import httpx


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
