"""Metrics of a report that is not there yet."""

from __future__ import annotations

from typing import Literal

import pytest
from prometheus_client import CollectorRegistry

from services.gateway.monitoring.metrics import MonitoringCollector
from services.gateway.monitoring.report import CalibrationReport


@pytest.mark.parametrize(("status", "seconds"), [("starting", 0.0), ("off", None)])
def test_reviews_that_were_never_read_are_older_than_any_alert_allows(
    status: Literal["starting", "off"], seconds: float | None
) -> None:
    registry = CollectorRegistry()
    collector = MonitoringCollector(registry)
    collector.report = lambda: CalibrationReport(status=status, window=500, tolerance=0.02, alpha=0.05)
    assert registry.get_sample_value("gateway_calibration_as_of_seconds") == seconds
    assert registry.get_sample_value("gateway_calibration_alarm") is None
