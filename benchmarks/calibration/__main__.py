"""Answers that a calibrator needs: python -m benchmarks.calibration RUN (or `make bench-calibration RUN=...`).

Each family is fitted on random draws from a run's predictions and measured on others, at several numbers of answers;
"chosen" is what `trustvqa calibrate` would have taken, judging by the draw's own folds. With a test run the chosen
correction's effect on its answers is measured as well, beside the error that chance alone would show.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.calibration.effect import effect, verdict
from benchmarks.calibration.study import CHOSEN, IDEAL, Answers, Figures, study
from prompt4trust.calibration import FAMILIES
from prompt4trust.evaluation import TableError, read_predictions

RESULTS = Path(__file__).with_name("results.json")
SIZES = "50,100,200,500,1000"


def main(
    runs: Annotated[list[Path], typer.Argument(help="Runs' folders or predictions.jsonl: the answers fitted on.")],
    test: Annotated[
        list[Path] | None, typer.Option(help="Other runs, whose answers are measured on; else what a draw leaves.")
    ] = None,
    estimators: Annotated[str, typer.Option(help="Whose confidence, with commas between; else all in the run.")] = "",
    sizes: Annotated[str, typer.Option(help="Numbers of answers to fit on.")] = SIZES,
    draws: Annotated[int, typer.Option(min=2, help="Draws at each number.")] = 50,
    choose: Annotated[
        bool, typer.Option(help="Measure the choice among families too: most of the time goes there.")
    ] = True,
    rows: Annotated[int, typer.Option(min=50, help="Answers to fit on where the effect on --test is measured.")] = 1000,
    study_sizes: Annotated[bool, typer.Option("--sizes-too/--effect-only", help="Leave the sizes out.")] = True,
    resamples: Annotated[int, typer.Option(min=50, help="Resamples of the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 1,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS,
) -> None:
    """Print the ECE after calibration, mean and standard deviation over the draws, and keep all figures."""
    console = Console(width=160)
    numbers = [int(size) for size in sizes.split(",")]
    families = (*FAMILIES, CHOSEN) if choose else tuple(FAMILIES)
    try:
        predictions = [row for run in runs for row in read_predictions(run)]
        others = [row for run in test for row in read_predictions(run)] if test else None
        named = [name.strip() for name in estimators.split(",") if name.strip()]
        measured: dict[str, Any] = {}
        effects: dict[str, Any] = {}
        for name in named or dict.fromkeys(row.estimator for row in predictions):
            answers = Answers.of(predictions, name)
            apart = None if others is None else Answers.of(others, name)
            if apart is not None:
                most = min(rows, len(answers.rows))  # a few less, where a few replies were invalid
                effects[name] = effect(answers, apart, rows=most, draws=min(draws, 20), resamples=resamples, seed=seed)
            if not study_sizes:
                continue
            figures = study(answers, numbers, others=apart, times=draws, seed=seed, families=families)
            n_measured = len(apart.rows) if apart else len(answers.rows) - max(numbers)
            measured[name] = {"answers": len(answers.rows), "measured_on": n_measured, "families": figures}
            _show(name, n_measured, draws, numbers, figures, console)
    except (TableError, ValueError) as error:
        console.print(f"[bold red]error[/] {error}")
        raise typer.Exit(1) from None
    if effects:
        _show_effects(effects, console)
    setup = {
        "runs": [run.name for run in runs],
        "test": [run.name for run in test or []],
        "sizes": numbers,
        "draws": draws,
        "seed": seed,
    }
    output.write_text(
        json.dumps({"setup": setup, "estimators": measured, "effects": effects}, indent=1) + "\n", encoding="utf-8"
    )
    console.print(str(output), soft_wrap=True, highlight=False)


def _show(name: str, measured: int, draws: int, sizes: list[int], figures: Figures, console: Console) -> None:
    console.print(f"[bold]{name}[/]: ECE after calibration on n answers, measured on {measured} others, {draws} draws")
    table = Table()
    table.add_column("family")
    for size in sizes:
        table.add_column(f"n = {size}", justify="right")
    for family, by_size in figures.items():
        table.add_row(family, *(_cell(by_size[size]["ece"], by_size[size]["refused"]) for size in sizes))
    last = list(figures)[-1]
    table.add_section()
    table.add_row(f"chance alone, {last}", *(_cell(figures[last][size][IDEAL], 0) for size in sizes))
    console.print(table)
    if CHOSEN in figures:
        for size in sizes:
            picked = sorted(figures[CHOSEN][size]["chosen"].items(), key=lambda item: -item[1])
            console.print(f"  chosen at n = {size}: {', '.join(f'{name} {count}' for name, count in picked)}")


def _show_effects(effects: dict[str, Any], console: Console) -> None:
    first = next(iter(effects.values()))
    console.print(
        f"[bold]effect[/] of the chosen correction, fitted on {first['fitted_on']} answers, on {first['measured_on']} "
        "test answers; in brackets 95 %; the band is what a perfectly calibrated model would show"
    )
    table = Table(
        "estimator", "family", "ECE before", "ECE after", "band", "smooth ECE", "AUROC", "two signals", "ratio"
    )
    for name, found in effects.items():
        two = found.get("two_signal")
        table.add_row(
            name,
            found["family"],
            _interval(found["ece"]["before"]),
            _interval(found["ece"]["after"]),
            f"{found['band']['low']:.3f} to {found['band']['high']:.3f}",
            _interval(found["smooth_ece"]["after"]),
            _interval(found["auroc"]["before"]),
            f"{_interval(two['auroc']['change'], '+')} {two['second']}" if two else "-",
            f"{_interval(found['ece']['ratio'])} {verdict(found)}",
        )
    console.print(table)
    for name, found in effects.items():
        spread = found["spread"]
        console.print(
            f"  {name}, {spread['draws']} draws: ECE {spread['ece_mean']:.3f} on average, {spread['ece_largest']:.3f} "
            f"at most, within the band in {spread['within_band']:.0%}"
        )


def _interval(found: dict[str, float | None], sign: str = "") -> str:
    if found["low"] is None:
        return f"{found['value']:{sign}.3f}"
    return f"{found['value']:{sign}.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def _cell(spread: dict[str, float | None], refused: int) -> str:
    mean, deviation = spread["mean"], spread["sd"]
    if mean is None:
        return "cannot be fitted"
    said = f"{mean:.3f} ± {deviation:.3f}" if deviation is not None else f"{mean:.3f}"
    return f"{said} ({refused} not fitted)" if refused else said


if __name__ == "__main__":
    typer.run(main)
