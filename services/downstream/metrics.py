"""The engine's counters for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.common.engine.interface import EngineStats


class EngineCollector(Collector):
    """Reads an engine's counters when they are scraped.

    Args:
        stats: Reads them.
    """

    def __init__(self, stats: Callable[[], EngineStats]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        stats = self._stats()
        yield GaugeMetricFamily("engine_samples_running", "Samples in the batch.", stats.running)
        yield GaugeMetricFamily("engine_samples_waiting", "Samples that wait for a place.", stats.waiting)
        yield CounterMetricFamily("engine_steps", "Steps of the batch.", stats.steps)
        yield CounterMetricFamily("engine_prompt_tokens", "Prompt tokens read.", stats.prompt_tokens)
        yield CounterMetricFamily(
            "engine_spared_tokens", "Prompt tokens that were known from an earlier prompt.", stats.spared_tokens
        )
        yield CounterMetricFamily("engine_completion_tokens", "Tokens generated.", stats.completion_tokens)
        yield CounterMetricFamily(
            "engine_near_ties", "Tokens that were settled by a computation of their own.", stats.near_ties
        )
