"""Prometheus metrics of guidance prompts, and of the cache of them that services share."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.common.clients.breaker import BreakerState


class CgpMetrics:
    """Counts of guidance prompts and of their tokens.

    Args:
        registry: The registry that they belong to.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.prompts = Counter(
            "cgp_prompts",
            "Guidance prompts given out, by where they came from.",
            ("version", "source"),
            registry=registry,
        )
        self.tokens = Counter("cgp_tokens", "Tokens read and written.", ("version", "kind"), registry=registry)
        self._shared = Counter(
            "cgp_shared_cache", "Calls of the cache that policy services share.", ("outcome",), registry=registry
        )
        self._shared_open = Gauge(
            "cgp_shared_cache_breaker_open", "Whether it is left alone because it kept failing.", registry=registry
        )
        self.writing = Gauge("cgp_prompts_in_flight", "Guidance prompts being written.", registry=registry)

    def count_shared(self, outcome: str) -> None:
        """Count a call of the shared cache."""
        self._shared.labels(outcome).inc()

    def note_shared(self, state: BreakerState) -> None:
        """Note the new state of the shared cache's breaker."""
        self._shared_open.set(state != "closed")
