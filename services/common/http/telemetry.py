"""Logs, request metrics and trace context, as pure ASGI: nothing here buffers a body or starts a task per request."""

from __future__ import annotations

import logging
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.http.metrics import HttpMetrics
from services.common.http.trace_context import REQUEST_ID_HEADER, TRACEPARENT_HEADER, begin_trace


def configure_logging(service: str, *, level: str = "info", form: str = "json") -> None:
    """Send structlog's and the standard library's records to stderr, one line each.

    Args:
        service: Name that every line carries.
        level: Least severe level that is written.
        form: "json" for machines, "console" for a person at a terminal.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _method, event: {"service": service, **event},
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if form == "console" else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # One access line per request is written by RequestTelemetry, with the request's id; these would double it.
    for noisy in ("uvicorn.access", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


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
