"""Prometheus metrics of the listener."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from services.common.metrics_registry import MetricsRegistry
from services.listener.state import Stage


class ListenerMetrics:
    """Counts of looks into the archive, and of questions.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: MetricsRegistry) -> None:
        self.looks = Counter("listener_looks", "Looks into the archive.", ("outcome",), registry=registry)
        self.found = Counter(
            "listener_found", "Questions about instances that were found.", ("rule",), registry=registry
        )
        self.ended = Counter(
            "listener_ended",
            "Questions that came to an end: their report stored, or given up.",
            ("rule", "outcome"),
            registry=registry,
        )
        self.failures = Counter(
            "listener_failures", "Tries that failed and are made again, by what failed.", ("part",), registry=registry
        )
        self.received = Counter(
            "listener_received",
            "Objects that were sent by C-STORE, by what became of them.",
            ("outcome",),
            registry=registry,
        )
        self.jobs = Gauge("listener_jobs", "Questions that are known, by stage.", ("stage",), registry=registry)
        for outcome in ("done", "failed", "full"):
            self.looks.labels(outcome)
        for part in ("gateway", "archive"):
            self.failures.labels(part)

    def note(self, counts: dict[Stage, int]) -> None:
        """Show how many questions are in each stage."""
        for stage, count in counts.items():
            self.jobs.labels(stage.value).set(count)
