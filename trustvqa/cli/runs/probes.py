"""`trustvqa evaluate --probe`: the same methods on spoilt questions, beside their answers to the unspoilt ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from prompt4trust.errors import ProbeError
from prompt4trust.evaluation import build_report
from prompt4trust.evaluation.probes import PROBES, spoil
from services.trainer.evaluation.probes import write_figures
from services.trainer.model_settings import ModelSettings
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.runs import prediction_run, tables
from trustvqa.reports import write_report


def check(names: Sequence[str], earlier_run: Path | None) -> None:
    """Raise CommandError if there is no such probe, or no model is to be asked."""
    if unknown := [name for name in names if name not in PROBES]:
        raise CommandError(f"no probe {', '.join(map(repr, unknown))}; there are {', '.join(PROBES)}")
    if names and earlier_run is not None:
        raise CommandError("--probe asks the models, and --run does not: leave one of them out")


def run_probe(
    name: str,
    plain: prediction_run.PredictionOutcome,
    request: prediction_run.Request,
    settings: ModelSettings,
    resamples: int,
    progress: Console,
    console: Console,
) -> bool:
    """Ask the spoilt questions, or go on asking them; write and print how the methods took it.

    Args:
        name: The probe.
        plain: The run on the unspoilt questions; the probe's own run lies in its folder.
        request: How that was asked for.
        settings: Where the models are.
        resamples: Bootstrap resamples.
        progress: Where progress goes.
        console: Where the table goes.

    Returns:
        Whether some questions could not be asked.
    """
    folder = plain.folder / f"probe-{name}"
    try:
        dataset = spoil(plain.dataset, name, folder / "pictures")
    except ProbeError as error:
        fail(str(error))
    for reason, count in dataset.skipped.items():
        progress.print(f"{name}: {count} x {escape(reason)}")
    again = replace(request, asking=replace(request.asking, out=folder), policy_version=plain.manifest.policy)
    outcome = prediction_run.run_predictions(again, settings, progress, dataset)
    report = build_report(outcome.predictions, outcome.manifest, resamples=resamples)
    files = write_report(folder, report, outcome.predictions, dataset.questions)
    files["probe"], figures = write_figures(
        folder, name, plain.dataset, plain.predictions, outcome.predictions, outcome.manifest.estimators, resamples
    )
    console.print()
    console.print(tables.probe(name, figures), highlight=False)
    console.print(str(files["probe"]), highlight=False, soft_wrap=True)
    return any(method.failed for method in report.methods)
