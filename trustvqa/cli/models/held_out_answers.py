"""Answers to held-out questions, as calibrators are fitted on and judged by them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.errors import ProbeError
from prompt4trust.evaluation import (
    ManifestError,
    Prediction,
    RunManifest,
    TableError,
    read_manifest,
    read_predictions,
)
from prompt4trust.evaluation.manifest import FILE as MANIFEST
from prompt4trust.evaluation.prediction_arrays import fitting_rows
from prompt4trust.evaluation.probes import spoil
from services.trainer.model_settings import ModelSettings
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.models.fitting import FittingOptions, choose_and_fit
from trustvqa.cli.runs.prediction_run import PredictionOutcome, Request, obtain_predictions, run_predictions

MOST_MISSING = 0.01
"""Share of predictions that may be missing; those of models that could not be asked may be unlike the others."""
SAME = ("downstream", "second", "policy", "template", "sampling", "picture_preparation", "judge")
"""Parts of a run's manifest in which runs of the same models and wording agree."""
_PROBE = "right-option-removed"
_TEST = re.compile(r"(^|[^a-z])test([^a-z]|$)", re.IGNORECASE)


def obtain(
    earlier: Path | None, request: Request, settings: ModelSettings, names: Sequence[str], progress: Console
) -> PredictionOutcome:
    """Obtain predictions, of which hardly any may be missing; ends the command where more are.

    Args:
        earlier: An earlier run's folder, or None to ask the models.
        request: What to predict.
        settings: Where the models are.
        names: The estimators.
        progress: Where progress goes.
    """
    outcome = obtain_predictions(earlier, request, settings, progress)
    asked = sum(row.failure is None for row in outcome.predictions if row.estimator in names)
    missing = len(outcome.dataset.questions) * len(names) - asked
    if missing > MOST_MISSING * (asked + missing):
        fail(f"{missing} predictions are missing, so nothing is published; the same command asks again", 4)
    if missing:
        progress.print(f"[yellow]warning[/] {missing} predictions are missing and were left out")
    return outcome


def check_apart(calibration: PredictionOutcome, validation: PredictionOutcome) -> None:
    """Refuse validation data that families must not be judged on, or that other models answered.

    Raises:
        CommandError: If it is a test split, has questions in common with the calibration data, or is of other models.
    """
    name = validation.manifest.dataset
    if _TEST.search(name):
        raise CommandError(
            f"--validation {name} is a test split by its name: whatever is chosen on it, its figures no longer test"
        )
    shared = {each.id for each in calibration.dataset.questions} & {each.id for each in validation.dataset.questions}
    if shared:
        raise CommandError(
            f"{len(shared)} questions are in --data and in --validation; what is judged must not have been fitted on"
        )
    differing = _differing(calibration.manifest, validation.manifest)
    if differing:
        lines = "".join(f"\n  {line}" for line in differing)
        raise CommandError(f"the calibration and the validation run are of different models or wording{lines}")


class ProbeRows(NamedTuple):
    """Predictions for questions whose right option is replaced by "None of the above".

    Attributes:
        used: Those that are fitted on, or that families are judged on.
        drawn_from: All of the run that they were drawn from.
    """

    used: Sequence[Prediction] = ()
    drawn_from: Sequence[Prediction] = ()


def obtain_right_removed(
    earlier: Path | None,
    asked: PredictionOutcome,
    request: Request,
    settings: ModelSettings,
    names: Sequence[str],
    share: float,
    progress: Console,
) -> ProbeRows:
    """Obtain predictions for questions whose right option is replaced by "None of the above", to be fitted on as well.

    Args:
        earlier: An earlier run's folder, whose folder of the probe is read; None to ask the models.
        asked: The run on the questions as they are.
        request: How that was asked for.
        settings: Where the models are.
        names: The estimators.
        share: Share of such rows among all rows that an estimator's calibrator is fitted on, in [0, 0.5]; 0 asks for
            none. Where there are fewer, all are taken, and a warning says how many.
        progress: Where progress goes.

    Raises:
        CommandError: If the earlier run has no such folder, or it holds answers of other models, another wording or
            other questions, or if no question can be asked so.
    """
    if share == 0:
        return ProbeRows()
    counts = {
        name: round(len(fitting_rows(_of(asked.predictions, name))) * share / (1 - share))
        for name in dict.fromkeys(names)
    }
    folder = asked.folder / f"probe-{_PROBE}"
    again = f"`trustvqa evaluate --probe {_PROBE} --methods {','.join(asked.manifest.estimators)} --out {asked.folder}`"
    if earlier is not None and not (folder / MANIFEST).is_file():
        raise CommandError(f"{folder} is missing: {again} makes it in the run's folder")
    try:
        whole = spoil(asked.dataset, _PROBE, folder / "pictures")
    except ProbeError as error:
        raise CommandError(str(error)) from error
    order = np.random.default_rng(request.seed).permutation(len(whole.questions))
    drawn = [whole.questions[place].id for place in order[: max(counts.values())]]
    part = replace(whole, questions=tuple(each for each in whole.questions if each.id in set(drawn)))
    if earlier is None:
        wanted = replace(request, asking=replace(request.asking, out=folder), policy_version=asked.manifest.policy)
        predictions = run_predictions(wanted, settings, progress, part).predictions
        hint = "the same command asks again"
    else:
        try:
            _check_same(asked.manifest, read_manifest(folder), (whole.fingerprint, part.fingerprint), names)
            predictions = read_predictions(folder)
        except (ManifestError, TableError) as error:
            raise CommandError(str(error)) from error
        hint = f"{again} asks for them"
    rank = {name: place for place, name in enumerate(drawn)}
    chosen: list[Prediction] = []
    for name, count in counts.items():
        mine = sorted((row for row in _of(predictions, name) if row.id in rank), key=lambda row: rank[row.id])
        answered = sum(row.failure is None for row in mine)
        if answered < (1 - MOST_MISSING) * min(count, len(drawn)):
            fail(
                f"{name}: {min(count, len(drawn)) - answered} predictions of the probe {_PROBE} are missing; {hint}", 4
            )
        usable = fitting_rows(mine)[:count]
        if len(usable) < count:
            progress.print(
                f"[yellow]warning[/] {name}: --probe-rows {share:g} would be {count} answers; {len(usable)} can be used"
            )
        chosen += usable
    return ProbeRows(chosen, predictions)


def _check_same(mine: RunManifest, theirs: RunManifest, questions: Sequence[str], names: Sequence[str]) -> None:
    """Refuse a probe's run of other models, another wording or other questions than the run that it is fitted with.

    Raises:
        CommandError: If it differs, or lacks an estimator.
    """
    differing = _differing(mine, theirs)
    differing += [
        f"decoding of {name}: {mine.decoding.get(name)} and {theirs.decoding.get(name)}"
        for name in names
        if name in theirs.estimators and mine.decoding.get(name) != theirs.decoding.get(name)
    ]
    if theirs.data_hash not in questions:
        differing.append(f"questions: those of {mine.dataset} and of {theirs.dataset}")
    if differing:
        lines = "".join(f"\n  {line}" for line in differing)
        raise CommandError(f"the run and its probe {_PROBE} are of different models, wording or questions{lines}")


def _differing(mine: RunManifest, theirs: RunManifest) -> list[str]:
    return [
        f"{part}: {getattr(mine, part)} and {getattr(theirs, part)}"
        for part in SAME
        if getattr(mine, part) != getattr(theirs, part)
    ]


def fit(
    outcome: PredictionOutcome,
    judges: PredictionOutcome | None,
    estimator: str,
    options: FittingOptions,
    right_removed: ProbeRows,
    judges_right_removed: ProbeRows,
) -> CalibratorArtifact:
    """Fit a calibrator for one estimator.

    Args:
        outcome: The run that it is fitted on.
        judges: The run that families are judged on, or None.
        estimator: Its name.
        options: How.
        right_removed: Predictions for questions whose right option is replaced by "None of the
            above", which are fitted on as well.
        judges_right_removed: The same of the questions that families are judged on.

    Raises:
        CommandError: If the answers do not suffice.
    """
    manifest = outcome.manifest
    try:
        fitted = choose_and_fit(
            _of(outcome.predictions, estimator),
            manifest.calibration_key(estimator),
            options,
            dataset=manifest.dataset,
            now=datetime.now(UTC),
            validation=(
                (judges.manifest.dataset, _of([*judges.predictions, *judges_right_removed.used], estimator))
                if judges
                else None
            ),
            right_removed=_of(right_removed.used, estimator),
            drawn_from=_of(right_removed.drawn_from, estimator),
        )
    except ValueError as error:
        raise CommandError(f"{estimator}: {error}") from error
    return fitted.model_copy(update={"questions": manifest.data_hash})


def _of(predictions: Sequence[Prediction], estimator: str) -> list[Prediction]:
    return [row for row in predictions if row.estimator == estimator]
