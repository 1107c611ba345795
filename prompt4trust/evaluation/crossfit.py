"""Cross-fitting: a calibrator's figures on answers that it did not see, from the answers that it is fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from prompt4trust.calibration import (
    CalibrationKey,
    CalibratorArtifact,
    FamilyChoice,
    GroupErrors,
    GroupOffsets,
    Groups,
    ReplacedRows,
    Signals,
    fit_artifact,
    get_family,
    reliability,
)
from prompt4trust.calibration.base import MIN_ROWS
from prompt4trust.evaluation.prediction_arrays import fitting_hash, fitting_rows, row_clusters, signal_columns
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.metrics import METRICS, summarize
from prompt4trust.metrics.consistency import consistency_band
from prompt4trust.metrics.intervals import metric_intervals

_ERRORS = ("ece", "ace", "smooth_ece")


def cross_fit(
    family: str,
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    signals: Signals | None = None,
    clusters: Sequence[str] | None = None,
    groups: Groups = (),
    strata: Sequence[str] = (),
    folds: int = 5,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Correct every confidence by a calibrator that was fitted on the other folds.

    Args:
        family: The calibrator family.
        confidence: Stated confidences in [0, 1]; shape [n].
        correct: Whether each answer is right; shape [n].
        signals: Further numbers, by name; shape [n] each.
        clusters: What each answer belongs to, n of them: those about one picture are alike, so that they stay in one
            fold, and with fewer of them than folds there are as many folds. None where each stands by itself.
        folds: Number of parts, at least 2, of nearly equal size; where each stands by itself with an equal share of
            right answers, too.
        groups: What is known of each question, n of them; needed where there are strata.
        strata: Those whose groups are corrected each by itself, behind the family; none where all are corrected alike.
        seed: Seed of the division into parts.

    Returns:
        Corrected confidences; shape [n].

    Raises:
        ValueError: If the family is unknown, or some fold's complement is too small or all right or all wrong; if all
            answers (or, with strata, those of a fold's complement) belong to one cluster; or if groups are not as
            `GroupOffsets.fit` wants them.

    Example:
        >>> stated = [0.9] * 40 + [0.6] * 40
        >>> correct = ([True] * 3 + [False]) * 10 + [True, False] * 20
        >>> corrected = cross_fit("histogram", stated, correct)
        >>> round(float(corrected[:40].mean()), 2), round(float(corrected[40:].mean()), 2)
        (0.75, 0.49)
    """
    stated, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.bool_)
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in (signals or {}).items()}
    if folds < 2:
        raise ValueError("cross-fitting needs at least 2 folds")
    _check_parts(right, folds)
    if strata and len(groups) != len(stated):
        raise ValueError(f"there must be groups for each of {len(stated)} answers, not {len(groups)}")
    random = np.random.default_rng(seed)
    together = clusters is not None and len(set(clusters)) < len(clusters)
    fold = _folds_of_clusters(clusters or (), right, folds, random) if together else _folds(right, folds, random)
    corrected = np.empty_like(stated)
    for index in range(folds):
        held = fold == index
        if held.any():
            others = {name: values[~held] for name, values in columns.items()}
            fitted = get_family(family).fit(stated[~held], right[~held], others)
            corrected[held] = fitted.apply(stated[held], {name: values[held] for name, values in columns.items()})
            if strata:
                known = list(compress(groups, ~held))
                near = None if clusters is None else list(compress(clusters, ~held))
                inner = cross_fit(
                    family,
                    stated[~held],
                    right[~held],
                    signals=others,
                    clusters=near,
                    folds=folds,
                    seed=seed,
                )
                offsets = GroupOffsets.fit(inner, right[~held], known, strata, clusters=near)
                corrected[held] = offsets.apply(corrected[held], list(compress(groups, held)))
    return corrected


def fit_calibrator(
    predictions: Sequence[Prediction],
    *,
    name: str,
    family: str,
    key: CalibrationKey,
    dataset: str,
    clock: Callable[[], datetime],
    choice: FamilyChoice | None = None,
    strata: Sequence[str] = (),
    right_removed: Sequence[Prediction] = (),
    drawn_from: Sequence[Prediction] | None = None,
    folds: int = 5,
    resamples: int = 1000,
    seed: int = 0,
) -> CalibratorArtifact:
    """Fit a calibrator on one estimator's predictions, its figures "after" cross-fitted.

    Args:
        predictions: Of one estimator; those without a verdict or a known truth are left out.
        name: The artifact's name.
        family: The calibrator family.
        key: The combination that the predictions came from.
        dataset: Name of the held-out data.
        clock: Gives the present time, with its zone.
        choice: The choice of the family, for the record.
        strata: Those whose groups are corrected each by itself, such as modality; none where all are corrected alike.
        right_removed: Predictions for questions whose right option is replaced by "None of the above", so that the fit
            knows such questions too. They count in every fit and in no figure: figures are those of questions as they
            are asked.
        drawn_from: All predictions that those were drawn from; None where they are all.
        folds: Number of parts of the cross-fitting.
        resamples: Bootstrap resamples for the metrics' intervals.
        seed: Seed of the division into parts and of the bootstrap.

    Returns:
        The artifact, not yet saved. Its parameters are fitted on all rows.

    Raises:
        ValueError: If the predictions are too few, all right or all wrong, the family is unknown, or strata are not as
            `GroupOffsets.fit` wants them.
    """
    asked = len(fitting_rows(predictions))
    rows = fitting_rows([*predictions, *right_removed])
    stated, right = [row.confidence or 0.0 for row in rows], [row.correct for row in rows]
    # One picture's rows stay in one fold: no figure rests on a fit that saw its question otherwise.
    signals, clusters = signal_columns(rows), row_clusters(rows)
    fitted = fit_artifact(
        stated,
        right,
        name=name,
        family=family,
        key=key,
        dataset=dataset,
        clock=clock,
        ids=[row.id for row in rows],
        signals=signals,
        clusters=clusters,
        resamples=resamples,
        seed=seed,
    )
    groups = [row.groups for row in rows]
    corrected = cross_fit(
        family, stated, right, signals=signals, clusters=clusters, groups=groups, strata=strata, folds=folds, seed=seed
    )
    by_group = None
    if strata:
        # By confidences that were corrected without the answer: those of the fit itself look better than they are.
        alike = cross_fit(family, stated, right, signals=signals, clusters=clusters, folds=folds, seed=seed)
        by_group = GroupOffsets.fit(alike, right, groups, strata, clusters=clusters)
    stated, right, clusters, groups = stated[:asked], right[:asked], clusters[:asked], groups[:asked]
    corrected = corrected[:asked]
    after = summarize(corrected, right, clusters=clusters, resamples=resamples, seed=seed)["valid"]
    before: dict[str, Any] = {}
    if len(rows) > asked:
        found = summarize(stated, right, clusters=clusters, resamples=resamples, seed=seed)["valid"]
        before = {
            "metrics_before": {metric: interval.as_json() for metric, interval in found.items()},
            "reliability_before": reliability(stated, right),
            "data_hash": fitting_hash(predictions),  # by which its own data are known
            "replaced": ReplacedRows(
                n=len(rows) - asked,
                data_hash=fitting_hash(right_removed),
                drawn_from=fitting_hash(right_removed if drawn_from is None else drawn_from),
            ),
        }
    return fitted.model_copy(
        update={
            **before,
            "metrics_after": {metric: interval.as_json() for metric, interval in after.items()},
            "metrics_ideal": {
                metric: consistency_band(corrected, METRICS[metric], resamples=resamples, seed=seed).as_json()
                for metric in _ERRORS
            },
            "reliability_after": reliability(corrected, right),
            "folds": folds,
            "choice": choice,
            "by_group": by_group,
            "groups": _errors_by_group(by_group, groups, stated, corrected, right, clusters, resamples, seed),
            "warnings": [
                *fitted.warnings,
                *(by_group.warnings() if by_group is not None else []),
                *([_right_removed_remark(len(rows) - asked, len(rows))] if len(rows) > asked else []),
            ],
        }
    )


def _right_removed_remark(count: int, n: int) -> str:
    return (
        f"{count} of the {n} answers fitted on are to questions whose right option was replaced by None of the above; "
        "the figures are of the others"
    )


def _errors_by_group(
    by_group: GroupOffsets | None,
    groups: Groups,
    stated: Sequence[float],
    corrected: npt.NDArray[np.float64],
    right: Sequence[bool],
    clusters: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, dict[str, GroupErrors]]:
    """Measure every group's calibration error, as stated and as corrected."""
    found: dict[str, dict[str, GroupErrors]] = {}
    for stratum in () if by_group is None else by_group.strata:
        own = found.setdefault(stratum.name, {})
        known = [stratum.place(each) for each in groups]
        for value in stratum.groups:
            places = [place for place, each in enumerate(known) if each == value]
            if not places:  # only of questions whose right option was replaced, which are in no figure
                continue
            before, after = (
                metric_intervals(
                    np.asarray(confidence)[places],
                    np.asarray(right)[places],
                    {"ece": METRICS["ece"]},
                    clusters=[clusters[place] for place in places],
                    resamples=resamples,
                    seed=seed,
                )["ece"].as_json()
                for confidence in (stated, corrected)
            )
            own[value] = GroupErrors(n=len(places), before=before, after=after)
    return found


def _check_parts(right: npt.NDArray[np.bool_], folds: int) -> None:
    """Refuse rows of which a part could not be fitted on without another; raises ValueError."""
    n, rights = len(right), int(right.sum())
    if n - -(-n // folds) < MIN_ROWS:
        least = -(-MIN_ROWS * folds // (folds - 1))
        raise ValueError(f"a calibrator cross-fitted in {folds} parts needs at least {least} answers, not {n}")
    if min(rights, n - rights) < 2:
        few, kind = min(rights, n - rights), "right" if rights < 2 else "wrong"
        raise ValueError(
            f"a calibrator is fitted on right and wrong answers; of these {n} {'one is' if few else 'none are'} {kind}"
        )


def _folds(right: npt.NDArray[np.bool_], folds: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Deal the right answers to the folds in turn, then the wrong ones, each in a random order."""
    order = np.concatenate([random.permutation(np.flatnonzero(kind)) for kind in (right, ~right)])
    fold = np.empty(len(right), dtype=np.int64)
    fold[order] = np.arange(len(right)) % folds
    return fold


def _folds_of_clusters(
    clusters: Sequence[str], right: npt.NDArray[np.bool_], folds: int, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Deal whole clusters, in a random order, to the fold that has the fewest answers so far.

    Those with answers of the rarer kind, right or wrong, come first, each to the fold that has the fewest of that kind:
    else chance might put all of them in one fold, whose complement could not be fitted.
    """
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    folds = min(folds, len(names))
    if folds < 2:
        raise ValueError("answers about one picture cannot be divided by picture: cross-fitting needs at least two")
    counts = np.bincount(codes)
    rare = np.bincount(codes, weights=right == (right.mean() < 0.5)).astype(np.int64)
    filled, rares = np.zeros(folds, dtype=np.int64), np.zeros(folds, dtype=np.int64)
    fold_of = np.empty(len(names), dtype=np.int64)
    order = random.permutation(len(names))
    for place in (*order[rare[order] > 0], *order[rare[order] == 0]):
        fold_of[place] = np.lexsort((filled, rares))[0] if rare[place] else filled.argmin()
        filled[fold_of[place]] += counts[place]
        rares[fold_of[place]] += rare[place]
    return fold_of[codes]
