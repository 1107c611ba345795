"""Prometheus metrics of the gateway's answers; those of records and monitoring are in their packages' metrics.py."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from services.common.metrics_registry import MetricsRegistry
from services.gateway.schemas import VqaReply

_UNUSUAL = (0.5, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
_TENTHS = tuple(step / 10 for step in range(1, 11))


class GatewayMetrics:
    """Counts of answers, by what was decided and what was done without.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: MetricsRegistry) -> None:
        self._answers = Counter(
            "gateway_answers", "Answers given or deferred.", ("decision", "code"), registry=registry
        )
        self._degraded = Counter("gateway_degraded", "Answers that lack something.", ("without",), registry=registry)
        # A drift of this distribution, or one value for all, is the first sign that calibration no longer holds.
        self._confidence = Histogram(
            "gateway_confidence", "Calibrated confidences.", buckets=_TENTHS, registry=registry
        )
        # As many in each part as its width says, while questions are like those that promises rest on.
        self._atypicality = Histogram(
            "gateway_atypicality",
            "How unlike the questions that promises rest on.",
            ("reference",),
            buckets=_UNUSUAL,
            registry=registry,
        )
        self.refusals = Counter(
            "gateway_downstream_refusals",
            "Times that the model's server refused a part of a request and answered without it.",
            ("part",),
            registry=registry,
        )
        self.hangups = Counter("gateway_hangups", "Clients that left before their answer.", registry=registry)
        self._registry = registry
        self.waiting = Gauge(
            "gateway_waiting", "Questions that wait for their turn.", registry=registry, multiprocess_mode="livesum"
        )

    def follow_waiting(self, count: Callable[[], int]) -> None:
        """Show how many questions wait, as `count` says."""
        self._registry.follow(self.waiting, count)

    def count(self, reply: VqaReply) -> None:
        """Count one reply."""
        self._answers.labels(reply.decision, reply.decision_basis.code).inc()
        for without in reply.degraded:
            self._degraded.labels(without).inc()
        if reply.atypicality is not None:
            self._atypicality.labels(reply.atypicality.reference).observe(reply.atypicality.score)
        if reply.calibration.calibrated and reply.confidence is not None:
            self._confidence.observe(reply.confidence)
