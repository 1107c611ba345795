"""Prometheus metrics of guidance prompts: `cgp_prompts`, `cgp_tokens` and `cgp_prompts_in_flight`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


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
        self.writing = Gauge("cgp_prompts_in_flight", "Guidance prompts being written.", registry=registry)
