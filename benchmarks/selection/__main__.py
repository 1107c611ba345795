"""Promises of selection, kept or not, and their cost: python -m benchmarks.selection RUN... (`make bench-selection`).

The answers of the runs (of one configuration) are pooled, by estimator, and divided into calibration answers and the
rest again and again.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.results import write_figures
from benchmarks.selection.study import OptionSetOutcome, PromiseOutcome, try_promises, try_sets
from prompt4trust.evaluation import ManifestError, Prediction, TableError, read_manifest, read_predictions
from prompt4trust.evaluation.selection_trials import checked_answers

RISKS = (0.05, 0.10, 0.20)
COVERAGES = (0.80, 0.90, 0.95)
_SAME = ("downstream", "policy", "template", "sampling")


def main(
    runs: Annotated[list[Path], typer.Argument(help="Folders of trustvqa evaluate or calibrate, of other questions.")],
    rows: Annotated[int, typer.Option(min=100, help="Calibration answers of each division.")] = 1000,
    splits: Annotated[int, typer.Option(min=2, help="Divisions for thresholds; a tenth as many for sets.")] = 500,
    delta: Annotated[float, typer.Option(min=1e-6, max=0.5, help="Probability with which a promise may fail.")] = 0.05,
    group: Annotated[str | None, typer.Option(help="Option sets cover within each value of this.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the divisions.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write all figures there, as JSON.")] = None,
) -> None:
    """Divide the answers of runs again and again, and count the promises that were broken."""
    console = Console()
    try:
        predictions = _pool(runs)
    except (ManifestError, TableError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    figures: dict[str, Any] = {}
    for name in dict.fromkeys(row.estimator for row in predictions):
        answers = checked_answers([row for row in predictions if row.estimator == name])
        if len(answers) <= rows:
            raise typer.BadParameter(f"{name} has {len(answers)} answers: no more than --rows {rows}")
        kept = try_promises(answers, RISKS, rows=rows, splits=splits, delta=delta, seed=seed)
        held = try_sets(answers, COVERAGES, rows=rows, splits=max(splits // 10, 1), group=group, seed=seed)
        figures[name] = {"promises": [asdict(each) for each in kept], "sets": [asdict(each) for each in held]}
        console.print(f"\n[bold]{name}[/]: {rows} calibration answers of {len(answers)}, {splits} divisions")
        console.print(_promises(kept))
        if held:
            console.print(_sets(held))
    if out is not None:
        settings = {"rows": rows, "splits": splits, "delta": delta, "group": group, "seed": seed}
        write_figures(out, {"settings": settings, "methods": figures})


def _pool(runs: list[Path]) -> list[Prediction]:
    manifests = [read_manifest(run) for run in runs]
    for other in manifests[1:]:
        if differing := [name for name in _SAME if getattr(other, name) != getattr(manifests[0], name)]:
            raise ValueError(f"the runs differ in {' and '.join(differing)}")
    if len({each.data_hash for each in manifests}) < len(manifests):
        raise ValueError("two runs are of the same questions")
    return [row for run in runs for row in read_predictions(run)]


def _promises(kept: list[PromiseOutcome]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("max_risk", "broken", "exceeded", "silent", "wrong of answered", "answered", "in hindsight"):
        table.add_column(head, no_wrap=True)
    for each in kept:
        shares = (each.broken, each.exceeded, each.silent, each.error, each.coverage, each.hindsight)
        table.add_row(f"{each.max_risk:g}", *(f"{share:.3f}" for share in shares))
    return table


def _sets(held: list[OptionSetOutcome]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("coverage", "held", "options in a set", *held[0].by_group):
        table.add_column(head, no_wrap=True)
    for each in held:
        groups = (f"{share:.3f}" for share in each.by_group.values())
        table.add_row(f"{each.coverage:g}", f"{each.held:.3f}", f"{each.size:.2f}", *groups)
    return table


if __name__ == "__main__":
    typer.run(main)
