"""Report of an evaluation: every metric with its interval, per method and per group."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from prompt4trust.calibration import CalibratorArtifact, reliability
from prompt4trust.evaluation.comparison import compare_methods
from prompt4trust.evaluation.figures import Estimate, Figures, MethodReport, Outline, Report
from prompt4trust.evaluation.manifest import RunManifest, TableOrigin
from prompt4trust.evaluation.prediction_arrays import PredictionArrays, fitting_hash
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.evaluation.strata import strata, worst_groups
from prompt4trust.metrics import METRICS, Interval, Metric, summarize
from prompt4trust.metrics.consistency import consistency_band, reliability_band
from prompt4trust.metrics.curves import confidence_counts, risk_coverage_curve

__all__ = ["ReportedRun", "build_report", "compare_runs"]

# Smooth ECE costs more than all the others together, and adds little to a group's ECE.
_GROUP_METRICS = {name: metric for name, metric in METRICS.items() if name != "smooth_ece"}
_IDEAL = ("ece", "ace", "smooth_ece")


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """A run that a report covers.

    Attributes:
        manifest: The run's configuration, or the table that the predictions are of.
        predictions: Its predictions and failures.
        calibrators: Applied to the predictions of the estimator that each belongs to, as further methods.
        label: Its name beside the other runs of the same report; "" where there is one.
    """

    manifest: RunManifest | TableOrigin
    predictions: Sequence[Prediction]
    calibrators: Sequence[CalibratorArtifact] = ()
    label: str = ""


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
        run: The run's configuration.
        calibrators: Applied to the predictions of the estimator that each belongs to, as further methods.
        resamples: Bootstrap resamples of the figures over all rows.
        group_resamples: Bootstrap resamples of the groups' figures.
        seed: Seed of the bootstrap.

    Returns:
        The report: each estimator in the run's order, directly followed by its calibrated methods.

    Example:
        >>> from datetime import UTC, datetime
        >>> run = RunManifest(
        ...     dataset="held-out", data_hash="0", questions=4, estimators=("cgp",), downstream="llava",
        ...     policy="policy-1", template="answer@1", sampling={}, software="", created=datetime.now(UTC),
        ... )
        >>> rows = [
        ...     Prediction(id=str(n), estimator="cgp", truth="A", answer="AAAB"[n], confidence=(0.75, 0.5)[n // 2])
        ...     for n in range(4)
        ... ]
        >>> [method] = build_report(rows, run).methods
        >>> method.name, method.figures.all["accuracy"].value, method.figures.all["ece"].value
        ('cgp', 0.75, 0.125)
    """
    runs = [ReportedRun(run, list(predictions), calibrators)]
    return compare_runs(runs, resamples=resamples, group_resamples=group_resamples, seed=seed)


def compare_runs(
    runs: Sequence[ReportedRun], *, resamples: int = 1000, group_resamples: int = 200, seed: int = 0
) -> Report:
    """Compute the figures of several runs of the same questions, side by side.

    Args:
        runs: At least one; the first is what the others are compared with.
        resamples: Bootstrap resamples of the figures over all rows.
        group_resamples: Bootstrap resamples of the groups' figures.
        seed: Seed of the bootstrap.

    Returns:
        The report, the runs' methods one after the other. An estimator that gave the very same answers in all runs
        (one without guidance does, where only the policy differs) is listed once, without a run's label.

    Raises:
        ValueError: If the runs are not of the same questions, or two have one label.
    """
    if len({run.manifest.data_hash for run in runs}) != 1:
        raise ValueError("runs can be compared only where they are of the same questions")
    if len({run.label for run in runs}) < len(runs):
        raise ValueError("runs need labels to be told apart by")
    found: list[tuple[MethodReport, PredictionArrays]] = []
    rows = {
        (run.label, estimator): [row for row in run.predictions if row.estimator == estimator]
        for run in runs
        for estimator in run.manifest.estimators
    }
    alike = _alike(rows)
    for run in runs:
        for estimator in run.manifest.estimators:
            if estimator not in alike:
                found += _forms(run, estimator, rows[run.label, estimator], resamples, group_resamples, seed)
            elif run is runs[0]:
                forms = _forms(
                    replace(run, label=""), estimator, rows[run.label, estimator], resamples, group_resamples, seed
                )
                found += [(form.model_copy(update={"run": run.label}), scored) for form, scored in forms]
    changes, leading = compare_methods(
        [(method, scored) for method, scored in found if method.figures.n], resamples=resamples, seed=seed
    )
    return Report(
        run=runs[0].manifest,
        others=tuple(run.manifest for run in runs[1:] if isinstance(run.manifest, RunManifest)),
        methods=tuple(method for method, _ in found),
        changes=tuple(changes),
        leading=leading,
        alike=tuple(alike),
    )


def _alike(rows: Mapping[tuple[str, str], Sequence[Prediction]]) -> list[str]:
    """Find the estimators that gave the very same answers in every one of several runs."""
    given: dict[str, list[list[tuple[str, str, float]]]] = {}
    for (_, estimator), own in rows.items():
        answers = sorted((row.id, row.answer or "", row.confidence or 0.0) for row in own)
        given.setdefault(estimator, []).append(answers)
    runs = len({label for label, _ in rows})
    return [
        estimator
        for estimator, answers in given.items()
        if runs > 1 and len(answers) == runs and answers[0] and all(each == answers[0] for each in answers)
    ]


def _forms(
    run: ReportedRun, estimator: str, rows: Sequence[Prediction], resamples: int, group_resamples: int, seed: int
) -> Iterable[tuple[MethodReport, PredictionArrays]]:
    """Measure an estimator as it stated its confidences, then with each of its calibrators."""
    fitting: list[CalibratorArtifact | None] = [None]
    fitting += [artifact for artifact in run.calibrators if artifact.key.estimator == estimator]
    taken: Counter[str] = Counter()
    for artifact in fitting:
        name = estimator if artifact is None else f"{estimator} + {artifact.family}"
        taken[name] += 1
        if artifact is not None and taken[name] > 1:
            name = f"{name} ({artifact.name})"
        if run.label:
            name = f"{name} ({run.label})"
        yield _method(name, estimator, rows, run, artifact, resamples, group_resamples, seed)


def _method(
    name: str,
    estimator: str,
    rows: Sequence[Prediction],
    run: ReportedRun,
    artifact: CalibratorArtifact | None,
    resamples: int,
    group_resamples: int,
    seed: int,
) -> tuple[MethodReport, PredictionArrays]:
    predicted = [row for row in rows if row.failure is None]
    labelled = [row for row in predicted if row.is_labelled]
    stated = PredictionArrays.of(labelled)
    scored = stated.calibrated(artifact)
    parts = strata(labelled)
    groups = {
        group: {
            value: _figures(scored.at(places), group_resamples, seed, _GROUP_METRICS)
            for value, places in values.items()
        }
        for group, values in parts.items()
    }
    report = MethodReport(
        name=name,
        estimator=estimator,
        calibrator=artifact.name if artifact else None,
        run=run.label,
        in_sample=artifact is not None and artifact.was_fitted_on(fitting_hash(labelled)),
        uncorrected=int((stated.valid & ~stated.correctable(artifact)).sum()),
        failed=run.manifest.questions - len(predicted),
        unlabelled=len(predicted) - len(labelled),
        invalid=dict(Counter(row.invalid for row in predicted if row.invalid is not None)),
        policies=tuple(sorted({row.guidance.version for row in predicted if row.guidance})),
        figures=_figures(scored, resamples, seed),
        groups=groups,
        worst=worst_groups(groups, parts, scored, resamples=group_resamples, seed=seed),
        reliability=reliability(scored.confidence[scored.valid], scored.correct[scored.valid]),
        outline=_outline(scored, resamples, seed),
        calls=_mean([row.cost.calls for row in predicted]),
        tokens=_mean([row.cost.prompt_tokens + row.cost.completion_tokens for row in predicted]),
        seconds=_mean([row.cost.seconds for row in predicted]),
    )
    return report, scored


def _figures(scored: PredictionArrays, resamples: int, seed: int, metrics: Mapping[str, Metric] = METRICS) -> Figures:
    n = len(scored.confidence)
    stated = scored.confidence[scored.valid]
    views = (
        summarize(
            scored.confidence,
            scored.correct,
            scored.valid,
            clusters=scored.clusters,
            resamples=resamples,
            seed=seed,
            metrics=metrics,
        )
        if n
        else {"all": {}, "valid": {}}
    )
    return Figures(
        n=n,
        all={name: _estimate(interval) for name, interval in views["all"].items()},
        valid={name: _estimate(interval) for name, interval in views["valid"].items()},
        confidence_spread=float(stated.std()) if len(stated) else None,
    )


def _outline(scored: PredictionArrays, resamples: int, seed: int) -> Outline | None:
    if not len(scored.confidence):
        return None
    confidence, correct = scored.confidence[scored.valid], scored.correct[scored.valid]
    right, wrong = confidence_counts(confidence, correct) if len(confidence) else ([0], [0])
    return Outline(
        right=tuple(right),
        wrong=tuple(wrong),
        risk_coverage=tuple(risk_coverage_curve(scored.confidence, scored.correct)),
        band=tuple(reliability_band(confidence, resamples=resamples, seed=seed)) if len(confidence) else (),
        ideal={
            name: _estimate(consistency_band(confidence, METRICS[name], resamples=resamples, seed=seed))
            for name in (_IDEAL if len(confidence) else ())
        },
    )


def _estimate(interval: Interval) -> Estimate:
    return Estimate(value=_finite(interval.value), low=_finite(interval.low), high=_finite(interval.high))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
