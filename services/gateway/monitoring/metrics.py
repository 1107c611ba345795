"""Prometheus metrics of calibration: the report of the last look, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from services.gateway.monitoring.report import CalibrationReport, WindowFigures
from services.gateway.monitoring.window import ALL

_FIGURES = {
    "ece": "Expected calibration error of the newest reviewed answers.",
    "brier": "Brier score of the newest reviewed answers.",
    "selective_risk": "Share of wrong answers among the newest reviewed ones that were given.",
    "coverage": "Share of the newest reviewed answers that were given, not left to a person.",
}


class MonitoringCollector(Collector):
    """Gauges of a report. Their number is bounded: figures by label have at most 21 values each.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.report: Callable[[], CalibrationReport | None] = lambda: None
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Give the gauges; what is undefined is left out."""
        report = self.report()
        if report is None or report.status == "off":
            return
        if report.status == "starting":
            yield _as_of(0.0)  # an alert for reviews that are not read must not miss those that never were
            return
        sets = [] if report.figures is None else [(ALL, "", report.figures)]
        sets += [(name, each.value, each.figures) for name, listed in report.by.items() for each in listed]
        for name, told in _FIGURES.items():
            yield _gauge(name, told, sets)
        count = GaugeMetricFamily(
            "gateway_calibration_reviewed_count", "Reviewed answers that these figures are of.", labels=("by", "value")
        )
        for by, value, figures in sets:
            count.add_metric((by, value), figures.reviewed)
        yield count
        yield from _streams(report)
        if report.as_of is not None:
            yield _as_of(report.as_of.timestamp())


def _as_of(seconds: float) -> GaugeMetricFamily:
    return GaugeMetricFamily("gateway_calibration_as_of_seconds", "When reviews were last read; 0 for never.", seconds)


def _gauge(name: str, told: str, sets: list[tuple[str, str, WindowFigures]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"gateway_calibration_{name}", told, labels=("by", "value"))
    for by, value, figures in sets:
        figure = getattr(figures, name).value
        if figure is not None:
            family.add_metric((by, value), figure)
    return family


def _streams(report: CalibrationReport) -> Iterator[Metric]:
    labels = ("pair", "kind", "name")
    alarm = GaugeMetricFamily(
        "gateway_calibration_alarm",
        "1 while the alarm of an applied calibrator or guard stands, else 0.",
        labels=labels,
    )
    evidence = GaugeMetricFamily("gateway_calibration_evidence", "Logarithm of the e-value against it.", labels=labels)
    limit = GaugeMetricFamily(
        "gateway_calibration_evidence_limit", "What the evidence must reach for an alarm.", labels=labels
    )
    for stream in report.streams:
        if not stream.live:
            continue
        which = (stream.pair.line, stream.kind, stream.name)
        alarm.add_metric(which, stream.alarm is not None and stream.alarm.state == "standing")
        evidence.add_metric(which, stream.evidence)
        limit.add_metric(which, stream.limit)
    yield from (alarm, evidence, limit)
