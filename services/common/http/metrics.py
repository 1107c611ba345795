"""Prometheus metrics of requests, in every service: `http_requests` and the rest of `http_*`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class HttpMetrics:
    """Request metrics that every service has.

    Args:
        registry: Where they are registered; one per app, so that two apps in a process do not clash.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self.requests = Counter("http_requests", "Requests answered.", labels, registry=registry)
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request's first byte to its reply's last.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "http_requests_in_flight", "Requests being answered.", registry=registry, multiprocess_mode="livesum"
        )
