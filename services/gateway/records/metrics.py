"""Prometheus metrics of the records."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge

from services.common.metrics_registry import MetricsRegistry


class RecordMetrics:
    """Counts of records, and of replies that went out without one.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: MetricsRegistry) -> None:
        self.records = Counter(
            "gateway_records",
            "Records by what became of them: stored before the reply, stored late, or lost.",
            ("outcome",),
            registry=registry,
        )
        self.unrecorded = Counter(
            "gateway_unrecorded", "Replies whose record was not stored when they went out.", registry=registry
        )
        self._registry = registry
        self.waiting = Gauge(
            "gateway_records_waiting",
            "Records that wait to be stored.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.feedback = Counter("gateway_feedback", "Feedback given, by what it says.", ("right",), registry=registry)
        for outcome in ("stored", "late", "lost"):
            self.records.labels(outcome)  # a series that begins at its first loss hides that loss from a rate
        for right in ("true", "false"):
            self.feedback.labels(right)

    def follow_waiting(self, count: Callable[[], int]) -> None:
        """Show how many records wait, as `count` says."""
        self._registry.follow(self.waiting, count)
