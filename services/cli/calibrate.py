"""`trustvqa calibrate`: fit calibrators on held-out answers, choose among them, publish what was chosen."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from prompt4trust.calibration import FAMILIES, CalibratorArtifact, Choice, Pair
from prompt4trust.evaluation import Prediction, RunManifest, choose_family, fit_calibrator
from prompt4trust.files import write_atomically
from prompt4trust.reporting.calibration_page import estimates, judged_words, render_calibration_page
from services.cli import options, runs, tables
from services.common.registry import Registry
from services.trainer.evaluation.predicting import pair_of
from services.trainer.models import ModelSettings

_MOST_MISSING = 0.01
_SAME = ("downstream", "policy", "template", "sampling")
_TEST = re.compile(r"(^|[^a-z])test([^a-z]|$)", re.IGNORECASE)


def calibrate(
    data: Annotated[Path, typer.Option(help="Questions of the calibration split, kept apart from training and test.")],
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
    methods: Annotated[str, typer.Option(help="Whose confidence to correct, with commas between.")] = "verbalized,cgp",
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
) -> None:
    """Fit all calibrators for each method on held-out answers, and make the best live for these models and wording.

    The best has the lowest log loss on the validation questions or, without any, on answers that its fits did not see.
    Nothing is published where more than 1 % of the predictions are missing because a model could not be asked (status
    4; the same command asks those again), or where there are too few answers, or only right or only wrong ones.
    """
    progress, console = Console(stderr=True), tables.console()
    try:
        if family is not None and family not in FAMILIES:
            raise runs.CommandError(f"no calibration method {family!r}; there are {', '.join(FAMILIES)}")
        if validation_run is not None and validation is None:
            raise runs.CommandError("--validation-run needs --validation, the questions that it is a run of")
        if family is not None and validation is not None:
            raise runs.CommandError("--family leaves nothing to choose, so --validation is of no use; leave one out")
        names = runs.method_names(methods)
        settings = runs.read_settings(
            downstream_url=downstream_url,
            downstream_model=model,
            policy_url=policy_url,
            answer_template=template,
            temperature=temperature,
            max_tokens=max_tokens,
            egress_hosts=egress_host,
        )
        request = runs.Request(
            data, images, methods, limit, seed, out, concurrency, deadline, policy_version, skip_bad, min_side, recheck
        )
        outcome = _predictions(run, request, settings, names, progress)
        judges = None
        if validation is not None:
            asked = replace(request, data=validation, out=None, policy_version=outcome.manifest.policy)
            judges = _predictions(validation_run, asked, settings, names, progress)
            _check_apart(outcome, judges)
        artifacts = [_fit(outcome, judges, family, name, folds=folds, resamples=resamples, seed=seed) for name in names]
    except runs.CommandError as error:
        runs.fail(str(error))
    target = Registry(registry or settings.registry)
    for artifact in artifacts:
        path = target.publish_calibrator(artifact)
        before = target.activate_calibrator(artifact.name)
        _show(artifact, path, before, console)
    for path in _keep(outcome.folder, artifacts):
        console.print(str(path), highlight=False, soft_wrap=True)


def artifact_name(method: str, pair: Pair) -> str:
    """Name a calibrator after what it does and what it belongs to, fit for a file name."""
    parts = [method, pair.estimator, pair.downstream, pair.policy or "", pair.answer_template]
    cleaned = (re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.") for part in parts if part)
    return re.sub(r"\.{2,}|-?\.-|-\.", "-", "-".join(cleaned))[:200].strip("-.")


def _predictions(
    earlier: Path | None, request: runs.Request, settings: ModelSettings, names: Sequence[str], progress: Console
) -> runs.Outcome:
    """Obtain predictions, of which hardly any may be missing."""
    outcome = runs.obtain_predictions(earlier, request, settings, progress)
    asked = sum(row.failure is None for row in outcome.predictions if row.estimator in names)
    missing = len(outcome.dataset.questions) * len(names) - asked
    if missing > _MOST_MISSING * (asked + missing):
        runs.fail(f"{missing} predictions are missing, so nothing is published; the same command asks again", 4)
    if missing:
        progress.print(f"[yellow]warning[/] {missing} predictions are missing and were left out")
    return outcome


def _check_apart(calibration: runs.Outcome, validation: runs.Outcome) -> None:
    """Refuse validation data that families must not be judged on, or that other models answered."""
    name = validation.manifest.dataset
    if _TEST.search(name):
        raise runs.CommandError(
            f"--validation {name} is a test split by its name: whatever is chosen on it, its figures no longer test"
        )
    shared = {each.id for each in calibration.dataset.questions} & {each.id for each in validation.dataset.questions}
    if shared:
        raise runs.CommandError(
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
        raise runs.CommandError(f"the calibration and the validation run are of different models or wording{lines}")


def _fit(
    outcome: runs.Outcome,
    judges: runs.Outcome | None,
    family: str | None,
    estimator: str,
    *,
    folds: int,
    resamples: int,
    seed: int,
) -> CalibratorArtifact:
    pair = pair_of(outcome.manifest, estimator)
    rows = _of(outcome.predictions, estimator)
    choice: Choice | None = None
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
        return fit_calibrator(
            rows,
            name=artifact_name(method, pair),
            method=method,
            pair=pair,
            dataset=outcome.manifest.dataset,
            clock=lambda: datetime.now(UTC),
            choice=choice,
            folds=folds,
            resamples=resamples,
            seed=seed,
        )
    except ValueError as error:
        raise runs.CommandError(f"{estimator}: {error}") from error


def _of(predictions: Sequence[Prediction], estimator: str) -> list[Prediction]:
    return [row for row in predictions if row.estimator == estimator]


def _judged_on(judges: runs.Outcome | None, calibration: RunManifest) -> str:
    return judges.manifest.dataset if judges else calibration.dataset


def _keep(folder: Path, artifacts: Sequence[CalibratorArtifact]) -> list[Path]:
    """Keep the candidates' figures and the diagrams beside the run."""
    page, document = folder / "calibration.html", folder / "calibration.json"
    write_atomically(page, render_calibration_page(artifacts))
    listed = [artifact.model_dump(mode="json") for artifact in artifacts]
    write_atomically(document, json.dumps({"calibrators": listed}, indent=2) + "\n")
    return [document, page]


def _show(artifact: CalibratorArtifact, path: Path, before: str | None, console: Console) -> None:
    console.print(
        f"\n[bold]{escape(artifact.pair.estimator)}[/], fitted on {artifact.n} valid answers", highlight=False
    )
    if artifact.choice is not None:
        console.print(judged_words(artifact.choice), style="dim", highlight=False)
        console.print(tables.candidates(artifact.choice), highlight=False)
        console.print()
    console.print(
        tables.before_and_after(
            estimates(artifact.metrics_before),
            estimates(artifact.metrics_after),
            estimates(artifact.metrics_ideal),
            artifact.folds,
        ),
        highlight=False,
    )
    console.print(
        f"{artifact.method}, cross-fitted: each answer was corrected by a calibrator that had not seen it; the "
        "published one saw them all. A perfectly calibrated model shows errors above 0 too, by chance.",
        style="dim",
        highlight=False,
    )
    for warning in artifact.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}")
    replaced = f", in place of {before}" if before not in (None, artifact.name) else ""
    console.print(f"live: {artifact.name}{replaced}", highlight=False, soft_wrap=True)
    console.print(str(path), highlight=False, soft_wrap=True)
