"""`trustvqa calibrate`: fit calibrators on held-out answers and publish them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from prompt4trust.calibration import FAMILIES, CalibratorArtifact, Pair
from prompt4trust.evaluation import fit_calibrator
from prompt4trust.evaluation.report import Estimate
from services.cli import options, runs, tables
from services.common.registry import Registry
from services.trainer.evaluation.predicting import pair_of

_MOST_MISSING = 0.01


def calibrate(
    data: Annotated[Path, typer.Option(help="Questions of the calibration split, kept apart from training and test.")],
    method: Annotated[str, typer.Option(help="How to correct the confidence.")] = "platt",
    methods: Annotated[str, typer.Option(help="Whose confidence to correct, with commas between.")] = "verbalized,cgp",
    registry: Annotated[Path | None, typer.Option(help="Directory that the calibrators are published in.")] = None,
    out: options.Out = None,
    run: options.EarlierRun = None,
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
    """Fit a calibrator for each method on held-out answers, and publish it for exactly these models and this wording.

    Nothing is published where more than 1 % of the predictions are missing because a model could not be asked (status
    4; the same command asks those again).
    """
    progress, console = Console(stderr=True), Console()
    try:
        if method not in FAMILIES:
            raise runs.CommandError(f"no calibration method {method!r}; there are {', '.join(FAMILIES)}")
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
        outcome = runs.obtain_predictions(run, request, settings, progress)
        asked = sum(row.failure is None for row in outcome.predictions if row.estimator in names)
        missing = len(outcome.dataset.questions) * len(names) - asked
        if missing > _MOST_MISSING * (asked + missing):
            runs.fail(f"{missing} predictions are missing, so nothing is published; the same command asks again", 4)
        if missing:
            progress.print(f"[yellow]warning[/] {missing} predictions are missing and were left out")
        artifacts = [_fit(outcome, method, name, folds=folds, resamples=resamples, seed=seed) for name in names]
    except runs.CommandError as error:
        runs.fail(str(error))
    target = Registry(registry or settings.registry)
    for artifact in artifacts:
        path = target.publish_calibrator(artifact)
        _show(artifact, path, console)


def artifact_name(method: str, pair: Pair) -> str:
    """Name a calibrator after what it does and what it belongs to, fit for a file name."""
    parts = [method, pair.estimator, pair.downstream, pair.policy or "", pair.answer_template]
    cleaned = (re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.") for part in parts if part)
    return re.sub(r"\.{2,}|-?\.-|-\.", "-", "-".join(cleaned))[:200].strip("-.")


def _fit(
    outcome: runs.Outcome, method: str, estimator: str, *, folds: int, resamples: int, seed: int
) -> CalibratorArtifact:
    pair = pair_of(outcome.manifest, estimator)
    try:
        return fit_calibrator(
            [row for row in outcome.predictions if row.estimator == estimator],
            name=artifact_name(method, pair),
            method=method,
            pair=pair,
            dataset=outcome.manifest.dataset,
            clock=lambda: datetime.now(UTC),
            folds=folds,
            resamples=resamples,
            seed=seed,
        )
    except ValueError as error:
        raise runs.CommandError(f"{estimator}: {error}") from error


def _show(artifact: CalibratorArtifact, path: Path, console: Console) -> None:
    before, after = (
        {name: Estimate(**values) for name, values in metrics.items()}
        for metrics in (artifact.metrics_before, artifact.metrics_after)
    )
    console.print(
        f"\n[bold]{escape(artifact.pair.estimator)}[/], fitted on {artifact.n} valid answers", highlight=False
    )
    console.print(tables.before_and_after(before, after, artifact.folds), highlight=False)
    console.print(
        "Cross-fitted: each answer was corrected by a calibrator that had not seen it; the published one saw them all.",
        style="dim",
    )
    for warning in artifact.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}")
    console.print(str(path), highlight=False, soft_wrap=True)
