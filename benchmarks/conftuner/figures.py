"""Figures of what a model states before and after, and their differences on the same questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from prompt4trust.evaluation import Prediction
from prompt4trust.evaluation.prediction_arrays import PredictionArrays
from prompt4trust.metrics import METRICS
from prompt4trust.metrics.calibration import accuracy_of
from prompt4trust.metrics.intervals import Sampled, metric_difference, sampled_metrics

BEFORE: Final = "before"
FIGURES: Final = {
    "accuracy": accuracy_of,
    **{name: METRICS[name] for name in ("mean_confidence", "ece", "brier", "auroc", "confident_error_share")},
}


def report(rows: Mapping[str, Sequence[Prediction]], resamples: int) -> dict[str, dict[str, Any]]:
    """Measure what each model states, as it states it.

    Args:
        rows: Model -> its answers to the same questions in the same order; `BEFORE` is among them. An answer without a
            verdict is wrong, with confidence 0.
        resamples: Of the bootstrap, by picture.

    Returns:
        Model -> figure -> value and interval, and "valid"; and for each other model "... less before", likewise.

    Raises:
        ValueError: If two were asked different questions.
    """
    if len({tuple(each.id for each in found) for found in rows.values()}) != 1:
        raise ValueError("not all were asked the same questions")
    measured = {name: _measured(found, resamples) for name, found in rows.items()}
    told = {name: {figure: one.interval.as_json() for figure, one in each.items()} for name, each in measured.items()}
    for name in [each for each in measured if each != BEFORE]:
        told[f"{name} less {BEFORE}"] = {
            figure: metric_difference(one, measured[BEFORE][figure]).as_json() for figure, one in measured[name].items()
        }
    return told


def _measured(rows: Sequence[Prediction], resamples: int) -> dict[str, Sampled]:
    stated = PredictionArrays.of(rows)
    found = sampled_metrics(stated.confidence, stated.correct, FIGURES, clusters=stated.clusters, resamples=resamples)
    valid = sampled_metrics(
        stated.confidence, stated.valid, {"valid": accuracy_of}, clusters=stated.clusters, resamples=resamples
    )
    return {**found, **valid}
