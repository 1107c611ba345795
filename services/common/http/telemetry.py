"""Access log, request metrics and trace context, as pure ASGI: nothing here buffers a body or starts a task."""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.http.metrics import HttpMetrics
from services.common.trace_context import REQUEST_ID_HEADER, TRACEPARENT_HEADER, begin_trace


class RequestTelemetry:
    """ASGI middleware: request id, W3C trace context, access log and metrics.

    Args:
        app: The wrapped application.
        metrics: Where requests are counted.
        quiet: Paths that are neither logged nor counted (probes and scrapes).
    """

    def __init__(self, app: ASGIApp, metrics: HttpMetrics, quiet: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._quiet = quiet
        self._log = structlog.get_logger("access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other ASGI scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, traceparent = begin_trace(scope["headers"])
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id, trace_id=traceparent.split("-")[1])
        status = 499  # nginx's word for a client that left before the reply began

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (REQUEST_ID_HEADER.lower().encode(), request_id.encode()),
                    (TRACEPARENT_HEADER.encode(), traceparent.encode()),
                ]
            await send(message)

        if scope["path"] in self._quiet:
            await self._app(scope, receive, send_with_id)
            return
        started = time.perf_counter()
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._metrics.in_flight.dec()
            seconds = time.perf_counter() - started
            # The route's pattern, not the path: a path with an id in it would make a new time series per request.
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.seconds.labels(scope["method"], route).observe(seconds)
            self._log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1e3, 1))
