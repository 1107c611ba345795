"""From predictions to figures: every metric with its interval, per method and per group."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from prompt4trust.calibration import Bin, CalibratorArtifact, hash_rows, reliability
from prompt4trust.evaluation.manifest import RunManifest
from prompt4trust.evaluation.table import Prediction
from prompt4trust.metrics import METRICS, Interval, Metric, summarize

_QUARTERED_ABOVE = 12
"""A group whose values are numbers, and more of them than this, is cut into four parts of equal count."""

# Smooth ECE costs more than all the others together, and adds little to a group's ECE.
_GROUP_METRICS = {name: metric for name, metric in METRICS.items() if name != "smooth_ece"}

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Model):
    """A metric with its bootstrap 95 % interval; None where it is undefined (no rows, one class only)."""

    value: float | None
    low: float | None
    high: float | None


class Figures(_Model):
    """The figures of one set of predictions.

    Attributes:
        n: Predictions with a known truth, invalid ones included.
        all: Metric -> estimate over all n rows: an invalid row counts as wrong, with confidence 0.
        valid: Metric -> estimate over the rows that hold a verdict.
        confidence_spread: Standard deviation over the valid rows; near 0 the model states one value whatever it sees.
    """

    n: int
    all: Mapping[str, Estimate]
    valid: Mapping[str, Estimate]
    confidence_spread: float | None


class MethodReport(_Model):
    """One column of the comparison: an estimator, perhaps with a calibrator behind it.

    Attributes:
        name: "cgp", or "cgp + platt".
        estimator: The estimator's name.
        calibrator: The calibrator's name, or None.
        in_sample: Whether the calibrator was fitted on these very questions: its figures then flatter it.
        uncorrected: Valid answers that lack a signal that the calibrator needs: their confidence is as stated.
        failed: Questions without a prediction; in no figure.
        unlabelled: Predictions whose truth is unknown; in no figure.
        invalid: Why texts held no verdict -> how many.
        policies: Policy versions that wrote guidance.
        figures: Over all predictions.
        groups: Group -> value -> figures.
        reliability: The reliability diagram of the valid rows.
        calls: Mean model calls a prediction.
        tokens: Mean tokens read and written a prediction.
        seconds: Mean seconds of waiting for models a prediction.
    """

    name: str
    estimator: str
    calibrator: str | None
    in_sample: bool
    uncorrected: int = 0
    failed: int
    unlabelled: int
    invalid: Mapping[str, int]
    policies: tuple[str, ...]
    figures: Figures
    groups: Mapping[str, Mapping[str, Figures]]
    reliability: tuple[Bin, ...]
    calls: float
    tokens: float
    seconds: float


class Report(_Model):
    """The outcome of an evaluation: what was run, and one entry a method."""

    run: RunManifest
    methods: tuple[MethodReport, ...]


@dataclass(frozen=True, slots=True)
class _Scored:
    """Predictions with a known truth as arrays; an invalid row has confidence 0 and is not correct."""

    confidence: Floats
    correct: Bools
    valid: Bools
    signals: Mapping[str, Floats]

    @classmethod
    def of(cls, rows: Sequence[Prediction]) -> _Scored:
        return cls(
            np.array([row.confidence or 0.0 for row in rows], dtype=np.float64),
            np.array([row.correct for row in rows], dtype=np.bool_),
            np.array([row.invalid is None for row in rows], dtype=np.bool_),
            signal_columns(rows),
        )

    def calibrated(self, artifact: CalibratorArtifact | None) -> _Scored:
        """Correct the confidences of valid rows; an invalid row has none, one that lacks a signal keeps what it has."""
        usable = self.correctable(artifact)
        if artifact is None or not usable.any():
            return self
        confidence = self.confidence.copy()
        signals = {name: values[usable] for name, values in self.signals.items()}
        confidence[usable] = artifact.calibrator().apply(confidence[usable], signals)
        return replace(self, confidence=confidence)

    def correctable(self, artifact: CalibratorArtifact | None) -> Bools:
        """Tell which rows hold a verdict and every signal that a calibrator needs."""
        usable = self.valid.copy()
        for name in artifact.calibrator().inputs() if artifact else ():
            values = self.signals.get(name)
            usable &= np.zeros_like(usable) if values is None else ~np.isnan(values)
        return usable

    def at(self, places: Sequence[int]) -> _Scored:
        signals = {name: values[places] for name, values in self.signals.items()}
        return _Scored(self.confidence[places], self.correct[places], self.valid[places], signals)


def build_report(
    predictions: Iterable[Prediction],
    run: RunManifest,
    calibrators: Sequence[CalibratorArtifact] = (),
    *,
    resamples: int = 1000,
    group_resamples: int = 200,
    seed: int = 0,
) -> Report:
    """Compute every method's figures.

    Args:
        predictions: A run's predictions and failures.
        run: What it was a run of.
        calibrators: Applied to the predictions of the estimator that each belongs to, as further methods.
        resamples: Bootstrap resamples of the figures over all rows.
        group_resamples: Bootstrap resamples of the groups' figures.
        seed: Seed of the bootstrap.

    Returns:
        The report: each estimator in the run's order, directly followed by its calibrated methods.
    """
    rows = list(predictions)
    methods = []
    for estimator in run.estimators:
        own = [row for row in rows if row.estimator == estimator]
        fitting: list[CalibratorArtifact | None] = [None]
        fitting += [artifact for artifact in calibrators if artifact.pair.estimator == estimator]
        taken: Counter[str] = Counter()
        for artifact in fitting:
            name = estimator if artifact is None else f"{estimator} + {artifact.method}"
            taken[name] += 1
            if artifact is not None and taken[name] > 1:
                name = f"{name} ({artifact.name})"
            methods.append(_method(name, estimator, own, run, artifact, resamples, group_resamples, seed))
    return Report(run=run, methods=tuple(methods))


def _method(
    name: str,
    estimator: str,
    rows: Sequence[Prediction],
    run: RunManifest,
    artifact: CalibratorArtifact | None,
    resamples: int,
    group_resamples: int,
    seed: int,
) -> MethodReport:
    predicted = [row for row in rows if row.failure is None]
    labelled = [row for row in predicted if row.truth is not None]
    stated = _Scored.of(labelled)
    scored = stated.calibrated(artifact)
    return MethodReport(
        name=name,
        estimator=estimator,
        calibrator=artifact.name if artifact else None,
        in_sample=artifact is not None and artifact.data_hash == fitting_hash(labelled),
        uncorrected=int((stated.valid & ~stated.correctable(artifact)).sum()),
        failed=run.questions - len(predicted),
        unlabelled=len(predicted) - len(labelled),
        invalid=dict(Counter(row.invalid for row in predicted if row.invalid is not None)),
        policies=tuple(sorted({row.guidance.version for row in predicted if row.guidance})),
        figures=_figures(scored, resamples, seed),
        groups={
            group: {
                value: _figures(scored.at(places), group_resamples, seed, _GROUP_METRICS)
                for value, places in values.items()
            }
            for group, values in _strata(labelled).items()
        },
        reliability=reliability(scored.confidence[scored.valid], scored.correct[scored.valid]),
        calls=_mean([row.cost.calls for row in predicted]),
        tokens=_mean([row.cost.prompt_tokens + row.cost.completion_tokens for row in predicted]),
        seconds=_mean([row.cost.seconds for row in predicted]),
    )


def fitting_rows(rows: Iterable[Prediction]) -> list[Prediction]:
    """Choose the predictions that a calibrator can be fitted on: those with a verdict and a known truth."""
    return [row for row in rows if row.failure is None and row.confidence is not None and row.truth is not None]


def signal_columns(rows: Sequence[Prediction]) -> dict[str, Floats]:
    """Lay out the signals that the rows carry.

    Returns:
        Name -> values, shape [n]; NaN where a row does not carry it.
    """
    names = sorted({name for row in rows for name in row.signals})
    return {name: np.array([row.signals.get(name, np.nan) for row in rows], dtype=np.float64) for name in names}


def fitting_hash(rows: Iterable[Prediction]) -> str:
    """Hash the predictions that a calibrator would be fitted on, as its artefact does."""
    usable = fitting_rows(rows)
    return hash_rows(
        [row.confidence or 0.0 for row in usable], [row.correct for row in usable], [row.id for row in usable]
    )


def _figures(scored: _Scored, resamples: int, seed: int, metrics: Mapping[str, Metric] = METRICS) -> Figures:
    n = len(scored.confidence)
    stated = scored.confidence[scored.valid]
    views = (
        summarize(scored.confidence, scored.correct, scored.valid, resamples=resamples, seed=seed, metrics=metrics)
        if n
        else {"all": {}, "valid": {}}
    )
    return Figures(
        n=n,
        all={name: _estimate(interval) for name, interval in views["all"].items()},
        valid={name: _estimate(interval) for name, interval in views["valid"].items()},
        confidence_spread=float(stated.std()) if len(stated) else None,
    )


def _estimate(interval: Interval) -> Estimate:
    return Estimate(value=_finite(interval.value), low=_finite(interval.low), high=_finite(interval.high))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _strata(rows: Sequence[Prediction]) -> dict[str, dict[str, list[int]]]:
    """Sort the places of rows by group and value, the values in order."""
    strata: dict[str, dict[str, list[int]]] = {}
    for group in sorted({group for row in rows for group in row.groups}):
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            if group in row.groups:
                places.setdefault(row.groups[group], []).append(place)
        strata[group] = _quartered(places) or dict(sorted(places.items()))
    return strata


def _quartered(places: Mapping[str, list[int]]) -> dict[str, list[int]] | None:
    """Cut a group of many numbers into four ranges of about equal count, or None where it is not one."""
    if len(places) <= _QUARTERED_ABOVE:
        return None
    try:
        numbers = sorted((float(value), place) for value, listed in places.items() for place in listed)
    except ValueError:
        return None
    cut: dict[str, list[int]] = {}
    for part in np.array_split(np.arange(len(numbers)), 4):
        first, last = numbers[int(part[0])][0], numbers[int(part[-1])][0]
        cut.setdefault(f"{first:.2f} to {last:.2f}", []).extend(numbers[int(index)][1] for index in part)
    return cut
