"""Calibrators from one estimator's answers, whoever checked these: the family chosen, then fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from prompt4trust.calibration import FAMILIES, CalibrationKey, CalibratorArtifact
from prompt4trust.evaluation import Prediction, choose_family, fit_calibrator
from prompt4trust.group_names import check_strata
from trustvqa.cli.models.publishing import artifact_name, whole_key
from trustvqa.cli.runs.options import Resamples

MOST_PROBE_ROWS = 0.5
"""Largest share of answers whose right option was replaced: with more, a calibrator would be of these."""


@dataclass(frozen=True, slots=True)
class FittingOptions:
    """The family, or None to choose one; the figures' folds, resamples and seed; groups that are corrected apart."""

    family: Annotated[
        str | None,
        typer.Option("--family", "--method", help=f"Take this one instead of choosing: {', '.join(FAMILIES)}."),
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of the draw and of the folds.")] = 42
    resamples: Resamples = 1000
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-fitted figures.")] = 5
    by_group: Annotated[
        str | None,
        typer.Option(help="Correct each group of these by itself, shrunk to all: modality, or several with commas."),
    ] = None
    probe_rows: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=MOST_PROBE_ROWS,
            help='Share of the answers fitted on that are to questions whose right option is replaced by "None of the '
            'above", so that confidence falls there: 0.2 asks a quarter as many once more.',
        ),
    ] = 0.0


def strata_names(text: str | None) -> tuple[str, ...]:
    """Read the names of strata with commas between; none where nothing is named.

    Raises:
        ValueError: If one is empty, two are the same, or there are too many.
    """
    return () if text is None else check_strata([name.strip() for name in text.split(",")])


def choose_and_fit(
    predictions: Sequence[Prediction],
    key: CalibrationKey,
    options: FittingOptions,
    *,
    dataset: str,
    now: datetime,
    validation: tuple[str, Sequence[Prediction]] | None = None,
    right_removed: Sequence[Prediction] = (),
    drawn_from: Sequence[Prediction] | None = None,
    suffix: str = "",
) -> CalibratorArtifact:
    """Fit a calibrator of the named family, or of the one that does best.

    Args:
        predictions: Of one estimator.
        key: The combination that they came from.
        options: The family, and how figures are made.
        dataset: Name of the data.
        now: The time.
        validation: Other data that families are judged on, its name and the same estimator's predictions; None for
            folds of the predictions.
        right_removed: The same estimator's for questions whose right option is replaced by "None of the above", which
            are fitted on as well; those that belong to the validation data are among the latter's.
        drawn_from: All predictions that those were drawn from; None where they are all.
        suffix: Ends the calibrator's name.

    Returns:
        The calibrator, not yet saved.

    Raises:
        ValueError: If the predictions are too few, or all right or all wrong, or their key is not whole.
    """
    whole_key(key)
    figures: dict[str, Any] = {"folds": options.folds, "resamples": options.resamples, "seed": options.seed}
    choice = None
    if options.family is None:
        judged_on, judges = validation or (dataset, None)
        choice = choose_family([*predictions, *right_removed], judges, dataset=judged_on, **figures)
    family = options.family or (choice.chosen if choice else "")
    return fit_calibrator(
        predictions,
        strata=strata_names(options.by_group),
        right_removed=right_removed,
        drawn_from=drawn_from,
        name=artifact_name(family, key, suffix),
        family=family,
        key=key,
        dataset=dataset,
        clock=lambda: now,
        choice=choice,
        **figures,
    )
