"""All metrics of one set of answers, as a report shows them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics import calibration, selective
from prompt4trust.metrics.bootstrap import Interval, Metric
from prompt4trust.metrics.clusters import cluster_codes
from prompt4trust.metrics.intervals import metric_intervals
from prompt4trust.metrics.tally import check_flags

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "accuracy": calibration.accuracy_of,
        "mean_confidence": calibration.mean_confidence_of,
        "ece": calibration.ece_of,
        "ace": calibration.ace_of,
        "smooth_ece": calibration.smooth_ece_of,
        "brier": calibration.brier_of,
        "nll": calibration.nll_of,
        "auroc": selective.auroc_of,
        "aurc": selective.aurc_of,
        "coverage_at_5pct_error": partial(selective.coverage_at_risk_of, risk=0.05),
        "coverage_at_10pct_error": partial(selective.coverage_at_risk_of, risk=0.10),
        "accuracy_at_80pct_coverage": partial(selective.accuracy_at_coverage_of, coverage=0.8),
        "confident_error_share": selective.confident_error_share_of,
        "confident_error_count": selective.confident_error_count_of,
    }
)
"""Name -> metric, in the order of a report. Errors are confident from 0.9 on."""


def summarize(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    valid: npt.ArrayLike | None = None,
    *,
    clusters: npt.ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
    metrics: Mapping[str, Metric] = METRICS,
) -> dict[str, dict[str, Interval]]:
    """Compute every metric over all rows and over the valid ones, each with its interval (see `metric_intervals`).

    Args:
        confidence: Stated confidences in [0, 1]; shape [n], n >= 1. Those of invalid rows are not looked at.
        correct: Whether each answer is right; shape [n]. Those of invalid rows are not looked at.
        valid: Whether each row holds a verdict; shape [n]; None where all do.
        clusters: What each row belongs to, such as its picture or patient; shape [n]; None where every row
            stands alone.
        resamples: Bootstrap resamples, at least 1.
        seed: Seed of the resampling.
        metrics: Which to compute, by name.

    Returns:
        "all" -> metrics over all rows, an invalid row counting as wrong with confidence 0; "valid" -> metrics over the
        valid rows, NaN where there are none. The names are those of `metrics` and "valid_rate".

    Raises:
        ValueError: If the rows are not as described.

    Example:
        >>> views = summarize([0.75, 0.75, 0.5, 0.5], [True, True, True, False], valid=[True, True, True, False])
        >>> views["all"]["accuracy"].value, views["valid"]["accuracy"].value, views["all"]["valid_rate"].value
        (0.75, 1.0, 0.75)
    """
    stated = np.asarray(confidence, dtype=np.float64)
    usable = np.ones(stated.shape, dtype=np.bool_) if valid is None else check_flags(valid, "valid", len(stated))
    right = np.asarray(correct)
    if right.shape != stated.shape or usable.shape != stated.shape:
        raise ValueError(f"confidence and correct must have one shape, not {stated.shape} and {right.shape}")
    right = np.where(usable, right, False)
    codes = cluster_codes(clusters, len(stated))
    measure = partial(metric_intervals, resamples=resamples, seed=seed)
    rows = measure(np.where(usable, stated, 0.0), right, metrics, clusters=codes)
    # With no confidence in sight, validity is a share like accuracy.
    rate = measure(np.zeros(stated.shape), usable, {"valid_rate": calibration.accuracy_of}, clusters=codes)
    undefined = Interval(float("nan"), float("nan"), float("nan"))
    if usable.all():
        among_valid = rows
    elif usable.any():
        kept = None if codes is None else codes[usable]
        among_valid = measure(stated[usable], right[usable], metrics, clusters=kept)
    else:
        among_valid = dict.fromkeys(metrics, undefined)
    all_valid = Interval(1.0, 1.0, 1.0) if usable.any() else undefined
    return {"all": rows | rate, "valid": among_valid | {"valid_rate": all_valid}}
