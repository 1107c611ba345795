"""Fitting of a calibrator on held-out answers, with its artifact."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt

from prompt4trust.calibration.artifact import NEWEST_FORMAT, CalibrationKey, CalibratorArtifact, MetricValues
from prompt4trust.calibration.base import Signals
from prompt4trust.calibration.families import get_family
from prompt4trust.calibration.reliability import reliability
from prompt4trust.metrics import summarize
from prompt4trust.metrics.tally import check_flags


def fit_artifact(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    valid: npt.ArrayLike | None = None,
    *,
    name: str,
    family: str,
    key: CalibrationKey,
    dataset: str,
    clock: Callable[[], datetime],
    ids: list[str] | None = None,
    signals: Signals | None = None,
    clusters: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> CalibratorArtifact:
    """Fit a calibrator, with its provenance and its effect.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n].
        correct: Whether each answer is right; shape [n].
        valid: Whether each row holds a verdict; shape [n]; the others are left out. None where all do.
        name: The artifact's name.
        family: The calibrator family.
        key: The combination that the answers came from.
        dataset: Name of the held-out data.
        clock: Gives the present time, with its zone.
        ids: The rows' question ids, which then enter the data hash; n of them.
        signals: Further numbers of the answers, by name; shape [n] each.
        clusters: What each row belongs to, such as its picture, for the metrics' intervals; n of them; None where every
            row stands alone.
        resamples: Bootstrap resamples for the metrics' intervals.
        seed: Seed of the bootstrap.

    Returns:
        The artifact, not yet saved.

    Raises:
        ValueError: If the family is unknown or there are too few valid rows, or only right or only wrong ones.

    Example:
        >>> from datetime import UTC
        >>> artifact = fit_artifact(
        ...     [0.9] * 20 + [0.6] * 20,
        ...     [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10,
        ...     name="platt-llava",
        ...     family="platt",
        ...     key=CalibrationKey(downstream="llava", policy=None, estimator="verbalized", answer_template="answer@1"),
        ...     dataset="held-out",
        ...     clock=lambda: datetime.now(UTC),
        ... )
        >>> round(artifact.metrics_before["ece"]["value"], 3), round(artifact.metrics_after["ece"]["value"], 3)
        (0.125, 0.0)
    """
    stated, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct)
    if valid is not None:
        usable = check_flags(valid, "valid", len(stated))
        if ids is not None:
            ids = [row for row, kept in zip(ids, usable, strict=True) if kept]
        if clusters is not None:
            clusters = [cluster for cluster, kept in zip(clusters, usable, strict=True) if kept]
        stated, right = stated[usable], check_flags(right, "correct", len(usable))[usable]
        signals = {signal: np.asarray(values)[usable] for signal, values in (signals or {}).items()}
    calibrator = get_family(family).fit(stated, right, signals)
    corrected = calibrator.apply(stated, signals)
    return CalibratorArtifact(
        format=NEWEST_FORMAT,
        name=name,
        family=family,
        parameters=calibrator.parameters(),
        key=key,
        n=len(stated),
        dataset=dataset,
        data_hash=hash_rows(stated, right, ids),
        created=clock(),
        seed=seed,
        metrics_before=_metrics(stated, right, clusters, resamples, seed),
        metrics_after=_metrics(corrected, right, clusters, resamples, seed),
        warnings=calibrator.warnings(),
        reliability_before=reliability(stated, right),
        reliability_after=reliability(corrected, right),
    )


def hash_rows(confidence: npt.ArrayLike, correct: npt.ArrayLike, ids: list[str] | None = None) -> str:
    """Hash rows; where they have ids, their order does not matter.

    Args:
        confidence: Stated confidences; shape [n].
        correct: Whether each answer is right; shape [n].
        ids: The rows' question ids, n of them, or None.

    Returns:
        "sha256:" and 64 hexadecimal digits, over one line of id, confidence and outcome a row.

    Example:
        >>> hash_rows([0.9, 0.6], [True, False], ["a", "b"]) == hash_rows([0.6, 0.9], [False, True], ["b", "a"])
        True
    """
    stated = np.asarray(confidence, dtype=np.float64).tolist()
    right = np.asarray(correct).astype(np.bool_).tolist()
    names = ids if ids is not None else [str(row) for row in range(len(stated))]
    lines = [f"{row!r}\t{value!r}\t{int(outcome)}\n" for row, value, outcome in zip(names, stated, right, strict=True)]
    if ids is not None:
        lines.sort()
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def _metrics(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, clusters: Sequence[str] | None, resamples: int, seed: int
) -> MetricValues:
    summary = summarize(confidence, correct, clusters=clusters, resamples=resamples, seed=seed)["valid"]
    return {name: interval.as_json() for name, interval in summary.items()}
