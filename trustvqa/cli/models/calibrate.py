"""`trustvqa calibrate`: fit calibrators on held-out answers, choose among them, publish what was chosen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from prompt4trust.calibration import FAMILIES, CalibratorArtifact, FamilyChoice
from prompt4trust.evaluation import Prediction, RunManifest, choose_family, fit_calibrator
from services.common.registry.directory import Registry
from services.trainer.evaluation.prediction_run import calibration_key_of
from services.trainer.model_settings import ModelSettings
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.models import publishing, refit
from trustvqa.cli.runs import options, prediction_run, tables

_MOST_MISSING = 0.01
_SAME = ("downstream", "policy", "template", "sampling")
_TEST = re.compile(r"(^|[^a-z])test([^a-z]|$)", re.IGNORECASE)


def calibrate(
    data: Annotated[
        Path | None, typer.Option(help="Questions of the calibration split, kept apart from training and test.")
    ] = None,
    from_feedback: Annotated[
        bool, typer.Option("--from-feedback", help="Fit on what people said of a gateway's answers instead.")
    ] = False,
    validation: Annotated[
        Path | None,
        typer.Option(
            help="Questions that families are judged on, never those of the test split; else folds of --data."
        ),
    ] = None,
    family: Annotated[
        str | None,
        typer.Option("--family", "--method", help=f"Take this one instead of choosing: {', '.join(FAMILIES)}."),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Whose confidence to correct, with commas between; by default verbalized,cgp, from feedback all."
        ),
    ] = None,
    registry: Annotated[Path | None, typer.Option(help="Directory that the calibrators are published in.")] = None,
    out: options.Out = None,
    run: options.EarlierRun = None,
    validation_run: Annotated[
        Path | None, typer.Option(help="Use this earlier run on the validation questions instead of asking models.")
    ] = None,
    limit: options.Limit = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw and of the folds.")] = 42,
    resamples: options.Resamples = 1000,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-fitted figures.")] = 5,
    concurrency: options.Concurrency = 32,
    deadline: options.Deadline = 120.0,
    images: options.Images = None,
    min_side: options.MinSide = None,
    skip_bad: options.SkipBad = False,
    recheck: options.Recheck = True,
    downstream_url: options.DownstreamUrl = None,
    model: options.Model = None,
    egress_host: options.EgressHost = None,
    policy_url: options.PolicyUrl = None,
    policy_version: options.PolicyVersion = None,
    template: options.Template = None,
    temperature: options.Temperature = None,
    max_tokens: options.MaxTokens = None,
    activate: Annotated[bool, typer.Option(help="Make the calibrators live, or only publish them.")] = True,
    gateway: options.Gateway = "http://127.0.0.1:8080",
    since: options.Since = None,
    until: options.Until = None,
) -> None:
    """Fit all calibrators for each method on held-out answers, and make the best live for these models and wording.

    With --from-feedback the answers are those of a running gateway of which somebody has said whether they were right,
    for each pair of models, method and wording by itself; the calibrators get new names, and those before them stay.

    The best has the lowest log loss on the validation questions or, without any, on answers that its fits did not see.
    Nothing is published where more than 1 % of the predictions are missing because a model could not be asked (status
    4; the same command asks those again), or where there are too few answers, or only right or only wrong ones.
    """
    progress, console = Console(stderr=True), tables.console()
    try:
        if family is not None and family not in FAMILIES:
            raise CommandError(f"no calibration method {family!r}; there are {', '.join(FAMILIES)}")
        if from_feedback:
            if any(each is not None for each in (data, validation, run, validation_run, limit)):
                raise CommandError("--from-feedback takes no questions: leave out --data and what belongs to it")
            names = prediction_run.method_names(methods) if methods else None
            wanted = refit.Wanted(names, model, policy_version, template, since, until)
            source = refit.FeedbackSource(gateway)
            fitting = refit.Fitting(family, folds=folds, resamples=resamples, seed=seed)
            target = Registry(registry or prediction_run.read_settings().registry)
            refit.refit(source, wanted, fitting, target, activate=activate, out=out, console=console)
            return
        if data is None:
            raise CommandError("--data is missing: the questions to fit on; or --from-feedback")
        if validation_run is not None and validation is None:
            raise CommandError("--validation-run needs --validation, the questions that it is a run of")
        if family is not None and validation is not None:
            raise CommandError("--family leaves nothing to choose, so --validation is of no use; leave one out")
        methods = methods or "verbalized,cgp"
        names = prediction_run.method_names(methods)
        settings = prediction_run.read_settings(
            downstream_url=downstream_url,
            downstream_model=model,
            policy_url=policy_url,
            answer_template=template,
            temperature=temperature,
            max_tokens=max_tokens,
            egress_hosts=egress_host,
        )
        request = prediction_run.Request(
            data, images, methods, limit, seed, out, concurrency, deadline, policy_version, skip_bad, min_side, recheck
        )
        outcome = _predictions(run, request, settings, names, progress)
        judges = None
        if validation is not None:
            asked = replace(request, data=validation, out=None, policy_version=outcome.manifest.policy)
            judges = _predictions(validation_run, asked, settings, names, progress)
            _check_apart(outcome, judges)
        artifacts = [_fit(outcome, judges, family, name, folds=folds, resamples=resamples, seed=seed) for name in names]
    except CommandError as error:
        fail(str(error))
    target = Registry(registry or settings.registry)
    for artifact in artifacts:
        path, before = publishing.publish(target, artifact, activate=activate, what="trustvqa calibrate")
        publishing.show(artifact, path, before, console, live=activate)
    for path in publishing.keep(outcome.folder, artifacts):
        console.print(str(path), highlight=False, soft_wrap=True)


def _predictions(
    earlier: Path | None,
    request: prediction_run.Request,
    settings: ModelSettings,
    names: Sequence[str],
    progress: Console,
) -> prediction_run.PredictionOutcome:
    """Obtain predictions, of which hardly any may be missing."""
    outcome = prediction_run.obtain_predictions(earlier, request, settings, progress)
    asked = sum(row.failure is None for row in outcome.predictions if row.estimator in names)
    missing = len(outcome.dataset.questions) * len(names) - asked
    if missing > _MOST_MISSING * (asked + missing):
        fail(f"{missing} predictions are missing, so nothing is published; the same command asks again", 4)
    if missing:
        progress.print(f"[yellow]warning[/] {missing} predictions are missing and were left out")
    return outcome


def _check_apart(calibration: prediction_run.PredictionOutcome, validation: prediction_run.PredictionOutcome) -> None:
    """Refuse validation data that families must not be judged on, or that other models answered."""
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
        for part in _SAME
        if getattr(mine, part) != getattr(theirs, part)
    ]
    if differing:
        lines = "".join(f"\n  {line}" for line in differing)
        raise CommandError(f"the calibration and the validation run are of different models or wording{lines}")


def _fit(
    outcome: prediction_run.PredictionOutcome,
    judges: prediction_run.PredictionOutcome | None,
    family: str | None,
    estimator: str,
    *,
    folds: int,
    resamples: int,
    seed: int,
) -> CalibratorArtifact:
    pair = calibration_key_of(outcome.manifest, estimator)
    rows = _of(outcome.predictions, estimator)
    choice: FamilyChoice | None = None
    try:
        if family is None:
            choice = choose_family(
                rows,
                _of(judges.predictions, estimator) if judges else None,
                dataset=_judged_on(judges, outcome.manifest),
                folds=folds,
                resamples=resamples,
                seed=seed,
            )
        method = family or (choice.chosen if choice else "")
        fitted = fit_calibrator(
            rows,
            name=publishing.artifact_name(method, pair),
            family=method,
            key=pair,
            dataset=outcome.manifest.dataset,
            clock=lambda: datetime.now(UTC),
            choice=choice,
            folds=folds,
            resamples=resamples,
            seed=seed,
        )
        return fitted.model_copy(update={"questions": outcome.manifest.data_hash})
    except ValueError as error:
        raise CommandError(f"{estimator}: {error}") from error


def _of(predictions: Sequence[Prediction], estimator: str) -> list[Prediction]:
    return [row for row in predictions if row.estimator == estimator]


def _judged_on(judges: prediction_run.PredictionOutcome | None, calibration: RunManifest) -> str:
    return judges.manifest.dataset if judges else calibration.dataset
