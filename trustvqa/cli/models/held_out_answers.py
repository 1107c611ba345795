"""Answers to held-out questions, as calibrators are fitted on and judged by them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.evaluation import Prediction
from services.trainer.model_settings import ModelSettings
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.models.fitting import FittingOptions, choose_and_fit
from trustvqa.cli.runs.prediction_run import PredictionOutcome, Request, obtain_predictions

MOST_MISSING = 0.01
"""Share of predictions that may be missing; those of models that could not be asked may be unlike the others."""
SAME = ("downstream", "policy", "template", "sampling", "picture_preparation", "judge")
"""Parts of a run's manifest in which runs of the same models and wording agree."""
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


def fit(
    outcome: PredictionOutcome, judges: PredictionOutcome | None, estimator: str, options: FittingOptions
) -> CalibratorArtifact:
    """Fit a calibrator for one estimator.

    Args:
        outcome: The run that it is fitted on.
        judges: The run that families are judged on, or None.
        estimator: Its name.
        options: How.

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
            validation=(judges.manifest.dataset, _of(judges.predictions, estimator)) if judges else None,
        )
    except ValueError as error:
        raise CommandError(f"{estimator}: {error}") from error
    return fitted.model_copy(update={"questions": manifest.data_hash})


def _of(predictions: Sequence[Prediction], estimator: str) -> list[Prediction]:
    return [row for row in predictions if row.estimator == estimator]
