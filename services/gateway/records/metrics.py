"""Prometheus metrics of the records."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class RecordMetrics:
    """Counts of records, and of replies that went out without one.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter(
            "gateway_records",
            "Records by what became of them: stored before the reply, stored late, or lost.",
            ("outcome",),
            registry=registry,
        )
        self.unrecorded = Counter(
            "gateway_unrecorded", "Replies whose record was not stored when they went out.", registry=registry
        )
        self.waiting = Gauge("gateway_records_waiting", "Records that wait to be stored.", registry=registry)
        self.feedback = Counter("gateway_feedback", "Feedback given, by what it says.", ("right",), registry=registry)
        for outcome in ("stored", "late", "lost"):
            self.records.labels(outcome)  # a series that begins at its first loss hides that loss from a rate
        for right in ("true", "false"):
            self.feedback.labels(right)
