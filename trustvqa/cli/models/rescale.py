"""`trustvqa rescale`: let stated confidence rest on all checked answers, a guard's among them, and decisions stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from prompt4trust.calibration import CalibratorArtifact, Rescaling
from prompt4trust.calibration.artifact import PLAIN_FORMAT
from prompt4trust.evaluation import CheckedRun, ManifestError, Prediction, RunManifest, TableError, rescale_calibrator
from prompt4trust.evaluation.figures import Estimate
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.models import checked_runs
from trustvqa.cli.models.held_out_answers import TEST_SPLIT
from trustvqa.cli.models.publishing import whole_key
from trustvqa.cli.output import BesideJson, print_json
from trustvqa.cli.runs import prediction_run, tables
from trustvqa.cli.runs.options import Resamples
from trustvqa.reports import metric_names


def rescale(
    *,
    run: Annotated[
        list[Path] | None,
        typer.Option(
            help="Run of checked answers; once for each: of fitting, of validation, of the guard's questions."
        ),
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="Whose calibrators, with commas between; by default all of the first run's.")
    ] = None,
    take_back: Annotated[
        str | None, typer.Option(help="Take the rescaling of the calibrator of this name away again instead.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the folds and of the bootstrap.")] = 42,
    resamples: Resamples = 1000,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-fitted figures.")] = 5,
    registry: Annotated[Path | None, typer.Option(help="Directory of the calibrators and guards.")] = None,
    publish: Annotated[bool, typer.Option(help="Publish, or only show.")] = True,
    as_json: BesideJson = False,
) -> None:
    """Move the confidence that live calibrators state by a rising line that is fitted on all checked answers.

    Guards rank answers by the confidence before the line: what is answered and what is left to a person does not
    change by one answer, and what was proved of it stands. No model is asked. Nothing is published where the log loss
    on answers that the calibrator was not fitted on, each moved by a line that has not seen it, is not lower.
    """
    console = tables.console(beside_json=as_json)
    try:
        target = Registry(registry or prediction_run.read_settings().registry)
        if take_back is not None:
            if run:
                raise CommandError("--take-back takes no runs: leave --run out")
            made = [_without(target, take_back)]
        else:
            read = [checked_runs.read(folder) for folder in run or ()]
            if not read:
                raise CommandError("--run is missing: name every run of checked answers")
            names = prediction_run.method_names(methods) if methods else list(read[0][0].estimators)
            made = [_rescaled(target, read, name, seed=seed, resamples=resamples, folds=folds) for name in names]
    except (CommandError, ManifestError, TableError, RegistryError) as error:
        fail(str(error))
    for artifact in made:
        _show(artifact, console)
        if publish:
            console.print(str(target.calibrators.publish(artifact)), highlight=False, soft_wrap=True)
    if as_json:
        print_json([_document(artifact) for artifact in made])


def _without(registry: Registry, name: str) -> CalibratorArtifact:
    try:
        found = registry.calibrators.load(name)
    except FileNotFoundError:
        raise CommandError(f"the registry has no calibrator {name!r}") from None
    if found.rescaling is None:
        raise CommandError(f"{name} is not rescaled")
    # Of now, not of then: answers from now on are told apart from those in between.
    return found.model_copy(update={"rescaling": None, "format": PLAIN_FORMAT, "created": datetime.now(UTC)})


def _rescaled(
    registry: Registry,
    runs: Sequence[tuple[RunManifest, Sequence[Prediction]]],
    name: str,
    *,
    seed: int,
    resamples: int,
    folds: int,
) -> CalibratorArtifact:
    checked, keys = [], []
    for manifest, rows in runs:
        if TEST_SPLIT.search(manifest.dataset):
            raise CommandError(
                f"{manifest.dataset} is a test split by its name: once it is fitted on, its figures no longer test"
            )
        own = checked_runs.of_method(rows, name)
        checked_runs.check_complete(own, manifest, name)
        keys.append(manifest.calibration_key(name))
        checked.append(CheckedRun(manifest.dataset, manifest.data_hash, own))
    if any(key != keys[0] for key in keys):
        raise CommandError(f"{name}: the runs are of different models, wording, decoding or pictures")
    try:
        artifact = checked_runs.find_live(registry, whole_key(keys[0]))
        return rescale_calibrator(
            artifact, checked, clock=lambda: datetime.now(UTC), folds=folds, resamples=resamples, seed=seed
        )
    except ValueError as error:
        raise CommandError(f"{name}: {error}") from error


def _show(artifact: CalibratorArtifact, console: Console) -> None:
    found = artifact.rescaling
    console.print(f"\n[bold]{escape(artifact.key.estimator)}[/], {escape(artifact.name)}", highlight=False)
    if found is None:
        console.print(f"no rescaling: order and stated confidence rest on {artifact.n} answers", highlight=False)
        return
    console.print(
        f"the order of answers rests on {artifact.n} of them, as before, and the stated confidence on {found.n} "
        f"(log-odds times {found.slope:.3g}, {found.intercept:+.3g})",
        highlight=False,
    )
    table = tables.plain(f"{found.judged} answers", "before", f"rescaled, {found.folds}-fold cross-fitted", "change")
    for metric in found.change:
        cells = (each[metric] for each in (found.metrics_before, found.metrics_after, found.change))
        table.add_row(metric_names.label(metric), *(metric_names.interval(Estimate(**each)) for each in cells))
    console.print(table, highlight=False)
    if _may_be_chance(found):
        console.print("[yellow]warning[/] the interval of the change in log loss holds 0: it may be chance")


def _may_be_chance(found: Rescaling) -> bool:
    high = found.change["nll"]["high"]
    return high is None or high >= 0


def _document(artifact: CalibratorArtifact) -> dict[str, object]:
    """Put what `_show` prints into an object."""
    found = artifact.rescaling
    return {
        "method": artifact.key.estimator,
        "calibrator": artifact.name,
        "order_n": artifact.n,
        "rescaling": None if found is None else {"n": found.n, **found.model_dump(mode="json")},
    }
