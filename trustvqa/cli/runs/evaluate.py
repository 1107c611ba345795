"""`trustvqa evaluate`: predictions by every method asked for, and the table that compares them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.evaluation import Report, RunManifest, build_report
from prompt4trust.evaluation.probes import PROBES
from services.common.registry.directory import Registry
from services.trainer.evaluation.prediction_run import fitting_calibrators
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.option_groups import grouped
from trustvqa.cli.output import BesideJson, print_json
from trustvqa.cli.runs import default_methods, options, prediction_run, probes, tables
from trustvqa.cli.runs.shards import Shard
from trustvqa.reports import metric_names, write_report

_SHOWN_GROUP = "family"
_SHOWN_FAILURES = 5
_NO_ROUTE = (404, 405)


@grouped
def evaluate(
    *,
    data: Annotated[
        Path,
        typer.Option(
            help="Questions: PMC-VQA, MedMCQA, VQA-RAD, SLAKE, PathVQA, OmniMedVQA, or any table by --columns."
        ),
    ],
    methods: Annotated[
        str | None,
        typer.Option(help="Methods to compare, with commas between, or all; by default those that the gateway offers."),
    ] = None,
    calibrator: Annotated[
        str, typer.Option(help="auto: what the registry has for these models; none; or a file or folder.")
    ] = "auto",
    run: options.EarlierRun = None,
    shard: Annotated[
        str | None, typer.Option(help="Ask only a part, INDEX/COUNT with INDEX from 0: for jobs side by side.")
    ] = None,
    shards: Annotated[
        Path | None, typer.Option(help="Put the runs of all shards, the folders in this one, together; asks no model.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 42,
    questions: options.QuestionOptions,
    asking: options.AskingOptions,
    models: options.ServedModelOptions,
    sampling_seed: Annotated[
        int | None, typer.Option(help="Seed that those of sampled replies and of noise derive from (else 0).")
    ] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option(help=f"Ask the questions spoilt too: {', '.join(PROBES)}; may be repeated."),
    ] = None,
    registry: Annotated[Path | None, typer.Option(help="Directory of policies and calibrators.")] = None,
    resamples: options.Resamples = 1000,
    as_json: BesideJson = False,
) -> None:
    """Compare methods on a set of questions: accuracy, calibration, confident errors and cost, with 95 % intervals.

    Ends with status 0 when every question was asked, 4 when some could not be (the same command asks those again).
    """
    progress, console = Console(stderr=True), tables.console(beside_json=as_json)
    try:
        probes.check(probe or [], run or shards)
        if [run, shard, shards].count(None) < 2:
            raise CommandError("--run, --shard and --shards do not go together: give one of them")
        if methods is None:
            methods = default_methods.offered(progress) if run is None and shards is None else "all"
        prediction_run.method_names(methods)
        part = None if shard is None else Shard.parse(shard)
        settings = prediction_run.read_settings(**models.settings(), sampling_seed=sampling_seed)
        request = prediction_run.Request(data, methods, seed, questions, asking, models.policy_version, part)
        if shards is None:
            outcome = prediction_run.obtain_predictions(run, request, settings, progress)
        else:
            outcome = prediction_run.merge_shards(shards, request, progress)
        artifacts = choose_calibrators(calibrator, Registry(registry or settings.registry), outcome.manifest)
    except CommandError as error:
        fail(str(error))
    refuse_without_answers(outcome)
    report = build_report(outcome.predictions, outcome.manifest, artifacts, resamples=resamples)
    files = write_report(outcome.folder, report, outcome.predictions, outcome.dataset.questions, artifacts)
    target = Registry(registry or settings.registry)
    show(report, console, without_calibrators(target, outcome.manifest) if calibrator == "auto" else [])
    show_failures(outcome, console)
    for path in files.values():
        console.print(str(path), highlight=False, soft_wrap=True)
    if as_json:
        print_json(report.model_dump(mode="json"))
    failed = any(method.failed for method in report.methods)
    for name in dict.fromkeys(probe or []):
        failed |= probes.run_probe(name, outcome, request, settings, resamples, progress, console)
    raise typer.Exit(4 if failed else 0)


def show_failures(outcome: prediction_run.PredictionOutcome, console: Console) -> None:
    """Print why questions have no prediction, the most frequent reasons first."""
    failures = [row.failure for row in outcome.predictions if row.failure is not None]
    told = Counter(f"{each.service}: {each.detail}" for each in failures)
    for why, count in told.most_common(_SHOWN_FAILURES):
        console.print(f"  {count} × {escape(why)}", style="red", highlight=False, soft_wrap=True)


def refuse_without_answers(outcome: prediction_run.PredictionOutcome) -> None:
    """End the command where no question could be asked: figures of nothing would read as figures of a bad model."""
    failures = [row.failure for row in outcome.predictions if row.failure is not None]
    if failures and len(failures) == len(outcome.predictions):
        last = failures[-1]
        hint = "; does it serve --model? And --downstream-url ends in /v1 as a rule" if last.status in _NO_ROUTE else ""
        fail(f"no question could be asked, so there are no figures: {last.service}: {last.detail}{hint}", 4)


def choose_calibrators(choice: str, registry: Registry, manifest: RunManifest) -> Sequence[CalibratorArtifact]:
    """Find the calibrators that may be applied to a run.

    Args:
        choice: "auto", "none", or a path to a calibrator's file or a folder of them.
        registry: Where "auto" looks.
        manifest: The run.

    Returns:
        Calibrators of this very combination of models, estimator and template.

    Raises:
        CommandError: If the path holds no calibrator, or one that belongs to something else.
    """
    if choice == "none":
        return []
    if choice == "auto":
        return fitting_calibrators(registry, manifest)
    path = Path(choice)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    try:
        found = [CalibratorArtifact.load(file) for file in files]
    except (OSError, ValueError) as error:
        raise CommandError(f"--calibrator {choice}: {error}") from error
    keys = [manifest.calibration_key(estimator) for estimator in manifest.estimators]
    fitting = [each for each in found if any(each.applies_to(key) for key in keys)]
    if not fitting:
        theirs = "".join(f"\n  {each.name}: {_misfit(each, keys)}" for each in found)
        raise CommandError(f"--calibrator {choice}: none belongs to this run's models and methods{theirs}")
    return fitting


def without_calibrators(registry: Registry, manifest: RunManifest) -> list[str]:
    """Explain for which of a run's methods the registry has no calibrator though it has some of these models.

    Returns:
        A sentence for each such method; a single one where the registry has none of these models at all.
    """
    held = [(each.name, each.key) for each in registry.calibrators.load_all()]
    keys = [manifest.calibration_key(estimator) for estimator in manifest.estimators]
    lacking = [key for key in keys if not any(each.fits(key) for _, each in held)]
    found = [(key.estimator, key.nearest_misfit(held)) for key in lacking]
    if len(lacking) == len(keys) and not any(misfit for _, misfit in found):
        return ["no calibrator in the registry belongs to these models; `trustvqa calibrate` fits one"]
    return [f"{name}: no calibrator fits: {misfit}; `trustvqa calibrate` fits one" for name, misfit in found if misfit]


def _misfit(calibrator: CalibratorArtifact, keys: Sequence[CalibrationKey]) -> str:
    """Explain why a calibrator fits none of a run's keys."""
    near = (key.nearest_misfit([("it", calibrator.key)]) for key in keys)
    return next((misfit for misfit in near if misfit), f"fitted for {calibrator.key.line}")


def show(report: Report, console: Console, unfit: Sequence[str] = ()) -> None:
    """Print a report's tables and what a reader must know of them.

    Args:
        report: The report of a run.
        console: Where to.
        unfit: Why calibrators are missing from it, a sentence each.
    """
    run = report.run
    if not isinstance(run, RunManifest):
        raise TypeError("a report of a table is no outcome of a run")
    policy = f", policy {run.policy}" if run.policy else ""
    second = f", second opinion by {run.second}" if run.second is not None else ""
    console.print(
        f"\n[bold]{escape(run.dataset)}[/]: {run.questions} questions, {escape(run.downstream + policy + second)}, "
        f"{escape(run.template_id)}",
        highlight=False,
    )
    if run.judge is not None:
        console.print(f"open questions; answers that the judge {run.judge} takes for the expected text are right")
    console.print(
        "all questions, a reply without a verdict counting as wrong; in brackets 95 % intervals\n", style="dim"
    )
    for table in (*tables.comparison(report), *tables.by_group(report, _SHOWN_GROUP)):
        console.print(table, highlight=False)
        console.print()
    for method in report.methods:
        for remark in metric_names.remarks(method):
            console.print(f"[yellow]{escape(method.name)}[/]: {escape(remark)}", highlight=False, soft_wrap=True)
    for line in unfit:
        console.print(f"{escape(line)}\n", highlight=False, soft_wrap=True)
