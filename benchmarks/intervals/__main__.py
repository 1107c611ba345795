"""Table of how often intervals hold the population's value, for calibrated answers and others.

An error's cell that comes out within a standard error of 0.93 or 0.97, or beyond, is counted again on more samples of
its own; that count is the cell's, whatever the first one was. Where it lies beyond, it is carried on to twice as many.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.intervals.designs import DESIGNS, PAIRS
from benchmarks.intervals.study import ERRORS, Coverage, count_again, cover, cover_difference

RESULTS = Path(__file__).with_name("results.json")
_SIZES = [50, 200, 1000]


def main(
    samples: Annotated[int, typer.Option(min=10, help="Samples a cell.")] = 500,
    again: Annotated[int, typer.Option(min=0, help="Samples of a cell that came out near an edge; 0 for none.")] = 2000,
    sizes: Annotated[list[int], typer.Option("--n", min=2, help="Answers in a sample.")] = _SIZES,
    resamples: Annotated[int, typer.Option(min=10, help="Resamples of each interval.")] = 400,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS,
    only: Annotated[
        list[str] | None, typer.Option(help="A design or pair to count; all where none is named. Other cells stay.")
    ] = None,
) -> None:
    """Draw samples and count."""
    console = Console(width=140)
    began = time.perf_counter()
    if unknown := set(only or []) - set(DESIGNS) - set(PAIRS):
        raise typer.BadParameter(f"no design or pair is called {sorted(unknown)[0]!r}", param_hint="--only")
    how = {
        "samples": samples,
        "again": again,
        "resamples": resamples,
        "seed": seed,
        "standard_error_at_95": round(float(np.sqrt(0.95 * 0.05 / samples)), 4),
    }
    if only:
        _kept(output, how)  # not after an hour's work
    wanted = set(only or [*DESIGNS, *PAIRS])
    cells: dict[str, dict[str, dict[str, Coverage]]] = {}
    for design in (each for each in DESIGNS if each in wanted):
        for n in sizes:
            for metric, found in cover(design, n, samples, resamples=resamples, seed=seed).items():
                if again and metric in ERRORS and found.near_an_edge:
                    more = _counted_again(design, n, metric, again, resamples=resamples, seed=seed)
                    found = replace(more, bootstrap=found.bootstrap)
                cells.setdefault(metric, {}).setdefault(design, {})[str(n)] = found
                console.print(f"{design}, n = {n}, {metric}: {found.held:.4f} of {found.samples}")
    for pair in (each for each in PAIRS if each in wanted):
        cells.setdefault("ece_difference", {})[pair] = {
            str(n): cover_difference(pair, n, samples, resamples=resamples // 2, seed=seed) for n in sizes
        }
    for metric, rows in cells.items():
        table = Table(f"{metric}: share held (bootstrap)", *(f"n = {n}" for n in sizes), box=None)
        for design, by_n in rows.items():
            table.add_row(design, *(f"{each.held:.3f} ({each.bootstrap:.3f})" for each in by_n.values()))
        console.print(table)
    counted: dict[str, Any] = {
        metric: {design: {n: each.as_json() for n, each in by_n.items()} for design, by_n in rows.items()}
        for metric, rows in cells.items()
    }
    minutes = (time.perf_counter() - began) / 60
    if only:
        kept = _kept(output, how)
        counted, minutes = _merged(kept.get("cells", {}), counted), minutes + kept.get("minutes", 0)
    figures = {**how, "minutes": round(minutes, 1), "cells": counted}
    output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _counted_again(design: str, n: int, metric: str, again: int, *, resamples: int, seed: int) -> Coverage:
    found = count_again(design, n, metric, again, resamples=resamples, seed=seed)
    if found.beyond:  # the same samples and as many more
        found = count_again(design, n, metric, 2 * again, resamples=resamples, seed=seed)
    return found


def _kept(output: Path, how: dict[str, float]) -> dict[str, Any]:
    """Read what was counted before, in the same way; empty where nothing was."""
    if not output.exists():
        return {}
    kept: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    if {name: kept.get(name) for name in how} != how:
        raise typer.BadParameter(f"{output} was counted otherwise", param_hint="--only")
    return kept


def _merged(kept: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Put new cells in the place of old ones, in the order of the designs and of the numbers of answers."""
    merged: dict[str, Any] = {}
    for metric in dict.fromkeys([*kept, *new]):
        before, now = kept.get(metric, {}), new.get(metric, {})
        rows = {name: {**before.get(name, {}), **now.get(name, {})} for name in (*DESIGNS, *PAIRS)}
        merged[metric] = {name: {n: found[n] for n in sorted(found, key=int)} for name, found in rows.items() if found}
    return merged


if __name__ == "__main__":
    typer.run(main)
