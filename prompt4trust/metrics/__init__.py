"""Metrics of stated confidence: calibration, proper scores, selective prediction, with intervals."""

from prompt4trust.metrics.bootstrap import Interval, Metric, bootstrap_intervals
from prompt4trust.metrics.calibration import (
    accuracy,
    adaptive_calibration_error,
    brier_score,
    expected_calibration_error,
    mean_confidence,
    negative_log_likelihood,
    smooth_calibration_error,
)
from prompt4trust.metrics.error_intervals import ErrorEstimate, ace_estimate, ece_estimate
from prompt4trust.metrics.intervals import metric_intervals
from prompt4trust.metrics.selective import (
    accuracy_at_coverage,
    area_under_risk_coverage,
    auroc,
    confident_error_count,
    confident_error_share,
    coverage_at_risk,
)
from prompt4trust.metrics.summary import METRICS, summarize
from prompt4trust.metrics.worst_group import WorstGroup, worst_group

__all__ = [
    "METRICS",
    "ErrorEstimate",
    "Interval",
    "Metric",
    "WorstGroup",
    "accuracy",
    "accuracy_at_coverage",
    "ace_estimate",
    "adaptive_calibration_error",
    "area_under_risk_coverage",
    "auroc",
    "bootstrap_intervals",
    "brier_score",
    "confident_error_count",
    "confident_error_share",
    "coverage_at_risk",
    "ece_estimate",
    "expected_calibration_error",
    "mean_confidence",
    "metric_intervals",
    "negative_log_likelihood",
    "smooth_calibration_error",
    "summarize",
    "worst_group",
]
