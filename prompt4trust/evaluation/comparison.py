"""Comparison of methods, question by question: their differences with paired intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from prompt4trust.evaluation.figures import Estimate, MethodReport, MetricChange
from prompt4trust.evaluation.prediction_arrays import PredictionArrays
from prompt4trust.metrics import METRICS, Interval
from prompt4trust.metrics.intervals import Sampled, metric_difference, sampled_metrics

# The smooth ECE takes longer than all others together, and differs as the ECE does.
PAIRED = MappingProxyType({name: metric for name, metric in METRICS.items() if name != "smooth_ece"})
"""The metrics that are compared."""

LOWER = frozenset(
    {"ece", "ace", "smooth_ece", "brier", "nll", "aurc", "confident_error_share", "confident_error_count"}
)
"""Metrics of which less is better."""
HIGHER = frozenset(
    {
        "accuracy",
        "auroc",
        "valid_rate",
        "coverage_at_5pct_error",
        "coverage_at_10pct_error",
        "accuracy_at_80pct_coverage",
    }
)
"""Metrics of which more is better."""

NEGLIGIBLE = 0.0005
"""A difference smaller than this does not show in three decimals, and counts as none however sure it is."""

_Metrics = Mapping[str, Sampled]


def compare_methods(
    methods: Sequence[tuple[MethodReport, PredictionArrays]], *, resamples: int = 1000, seed: int = 0
) -> tuple[list[MetricChange], dict[str, tuple[str, ...]]]:
    """Compare methods on the questions that all of them were measured on.

    Args:
        methods: Each with its answers, in the report's order: runs one after the other, in each run the estimators,
            each directly followed by its calibrated forms.
        resamples: Bootstrap resamples of the questions.
        seed: Seed of the bootstrap.

    Returns:
        What changes from one method to another that it belongs beside, and who leads in which metric (see `Report`).
        Intervals are not widened for the number of comparisons.
    """
    shared = set.intersection(*(set(scored.ids) for _, scored in methods)) if methods else set()
    ids = [each for each in methods[0][1].ids if each in shared] if methods else []
    if len(methods) < 2 or not ids:
        return [], {}
    # One division into clusters for all, so that their resamples hold the same questions.
    clusters = methods[0][1].aligned(ids).clusters
    drawn = {
        method.name: sampled_metrics(
            rows.confidence, rows.correct, PAIRED, clusters=clusters, resamples=resamples, seed=seed
        )
        for method, rows in ((method, scored.aligned(ids)) for method, scored in methods)
    }
    changes = [
        MetricChange(kind=kind, method=mine, than=theirs, n=len(ids), metrics=_differences(drawn[mine], drawn[theirs]))
        for kind, mine, theirs in _comparisons([method for method, _ in methods])
    ]
    return changes, _leading(drawn)


def _comparisons(methods: Sequence[MethodReport]) -> list[tuple[str, str, str]]:
    """List the comparisons: kind, and the names of the two methods."""
    runs = list(dict.fromkeys(method.run for method in methods))
    stated = {(method.run, method.estimator): method for method in methods if method.calibrator is None}
    like = {_form(method): method.name for method in methods if method.run == runs[0]}
    begins = next(iter(stated.values())).estimator if stated else ""
    found = []
    for method in methods:
        plain = stated.get((method.run, method.estimator))
        begin = stated.get((method.run, begins)) or stated.get((runs[0], begins))
        if method.run != runs[0] and (earlier := like.get(_form(method))) is not None:
            found.append(("run", method.name, earlier))
        if method.calibrator is not None and plain is not None:
            found.append(("calibration", method.name, plain.name))
        if method.calibrator is None and begin is not None and method.estimator != begins:
            found.append(("method", method.name, begin.name))
    return found


def _form(method: MethodReport) -> tuple[str, bool]:
    # An estimator's calibrator may be of another family in another run: it is still that estimator's correction.
    return method.estimator, method.calibrator is not None


def _differences(mine: _Metrics, theirs: _Metrics) -> dict[str, Estimate]:
    found = {name: metric_difference(mine[name], theirs[name]) for name in mine}
    return {name: Estimate(**interval.as_json()) for name, interval in found.items()}


def _leading(drawn: Mapping[str, _Metrics]) -> dict[str, tuple[str, ...]]:
    leading = {}
    for metric in PAIRED:
        sign = 1 if metric in HIGHER else -1 if metric in LOWER else 0
        found = {name: sign * own[metric].interval.value for name, own in drawn.items()}
        values = {name: value for name, value in found.items() if np.isfinite(value)}
        if sign == 0 or len(values) < 2:
            continue
        best = max(values, key=lambda name: values[name])
        group = tuple(
            name for name in values if not differs(metric_difference(drawn[name][metric], drawn[best][metric]))
        )
        if len(group) < len(values):
            leading[metric] = group
    return leading


def differs(difference: Interval | Estimate) -> bool:
    """Whether a difference is established: its interval leaves 0 out, and it is not negligible."""
    value, low, high = difference.value, difference.low, difference.high
    if value is None or low is None or high is None:
        return False
    return abs(value) >= NEGLIGIBLE and (low > 0 or high < 0)
