"""Answers to held-out questions, as calibrators are fitted on and judged by them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.errors import ProbeError
from prompt4trust.evaluation import Prediction, read_predictions
from prompt4trust.evaluation.manifest import FILE as MANIFEST
from prompt4trust.evaluation.probes import spoil
from services.trainer.model_settings import ModelSettings
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.models.fitting import FittingOptions, choose_and_fit
from trustvqa.cli.runs.prediction_run import PredictionOutcome, Request, obtain_predictions, run_predictions

MOST_MISSING = 0.01
"""Share of predictions that may be missing; those of models that could not be asked may be unlike the others."""
SAME = ("downstream", "policy", "template", "sampling", "picture_preparation", "judge")
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
    mine, theirs = calibration.manifest, validation.manifest
    differing = [
        f"{part}: {getattr(mine, part)} and {getattr(theirs, part)}"
        for part in SAME
        if getattr(mine, part) != getattr(theirs, part)
    ]
    if differing:
        lines = "".join(f"\n  {line}" for line in differing)
        raise CommandError(f"the calibration and the validation run are of different models or wording{lines}")


def obtain_without_right(
    earlier: Path | None,
    asked: PredictionOutcome,
    request: Request,
    settings: ModelSettings,
    names: Sequence[str],
    share: float,
    progress: Console,
) -> list[Prediction]:
    """Obtain predictions for questions whose right option is taken away, which stand beside those as they were asked.

    Args:
        earlier: An earlier run's folder, whose folder of the probe is read; None to ask the models.
        asked: The run on the questions as they are.
        request: How that was asked for.
        settings: Where the models are.
        names: The estimators.
        share: Share of such questions among all together, in [0, 0.5]; 0 asks for none.
        progress: Where progress goes.

    Raises:
        CommandError: If the earlier run has no such folder, or too few of such questions.
    """
    if share == 0:
        return []
    count = round(len(asked.dataset.questions) * share / (1 - share))
    folder = asked.folder / f"probe-{_PROBE}"
    if earlier is not None and not (folder / MANIFEST).is_file():
        raise CommandError(f"{folder} is missing: `trustvqa evaluate --probe {_PROBE}` makes it in the run's folder")
    try:
        whole = spoil(asked.dataset, _PROBE, folder / "pictures")
    except ProbeError as error:
        raise CommandError(str(error)) from error
    if len(whole.questions) < count:
        raise CommandError(f"--probe-rows {share:g}: {len(whole.questions)} questions can be asked so, not {count}")
    chosen = np.random.default_rng(request.seed).permutation(len(whole.questions))[:count]
    kept = {whole.questions[place].id for place in chosen}
    if earlier is not None:
        predictions = read_predictions(folder)
    else:
        drawn = replace(whole, questions=tuple(each for each in whole.questions if each.id in kept))
        again = replace(request, asking=replace(request.asking, out=folder), policy_version=asked.manifest.policy)
        predictions = list(run_predictions(again, settings, progress, drawn).predictions)
    found = [row for row in predictions if row.estimator in names and row.id in kept and row.failure is None]
    if len(found) < (1 - MOST_MISSING) * count * len(names):
        missing = count * len(names) - len(found)
        fail(f"{missing} predictions without a right option are missing; the same command asks again", 4)
    return found


def fit(
    outcome: PredictionOutcome,
    judges: PredictionOutcome | None,
    estimator: str,
    options: FittingOptions,
    none_right: Sequence[Prediction] = (),
    judges_none_right: Sequence[Prediction] = (),
) -> CalibratorArtifact:
    """Fit a calibrator for one estimator.

    Args:
        outcome: The run that it is fitted on.
        judges: The run that families are judged on, or None.
        estimator: Its name.
        options: How.
        none_right: Predictions for questions without a right option, which are fitted on as well.
        judges_none_right: The same of the questions that families are judged on.

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
                (judges.manifest.dataset, _of([*judges.predictions, *judges_none_right], estimator)) if judges else None
            ),
            none_right=_of(none_right, estimator),
        )
    except ValueError as error:
        raise CommandError(f"{estimator}: {error}") from error
    return fitted.model_copy(update={"questions": manifest.data_hash})


def _of(predictions: Sequence[Prediction], estimator: str) -> list[Prediction]:
    return [row for row in predictions if row.estimator == estimator]
