"""Prometheus metrics of the trainer service."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from services.trainer.run_files.records import STATUSES, Status


class TrainerMetrics:
    """Runs by state, the queue, and the clients that follow events.

    Args:
        registry: The collector registry that they are registered with.

    Attributes:
        listening: Clients that follow a run's events.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runs = Gauge("trainer_runs", "Runs on record.", ("state",), registry=registry)
        self._queue = Gauge("trainer_queue_length", "Runs that wait for their turn.", registry=registry)
        self.listening = 0
        streams = Gauge("trainer_event_streams", "Clients that follow a run's events.", registry=registry)
        streams.set_function(lambda: self.listening)
        self.count(dict.fromkeys(STATUSES, 0), 0)

    def count(self, states: Mapping[Status, int], waiting: int) -> None:
        """Show a new count."""
        for state, number in states.items():
            self._runs.labels(state).set(number)
        self._queue.set(waiting)
