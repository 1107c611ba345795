"""Table of how often intervals hold the population's value, for calibrated answers and others."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.intervals.designs import DESIGNS, PAIRS
from benchmarks.intervals.study import Coverage, cover, cover_difference

RESULTS = Path(__file__).with_name("results.json")
_SIZES = [50, 200, 1000]


def main(
    samples: Annotated[int, typer.Option(min=10, help="Samples a cell.")] = 500,
    sizes: Annotated[list[int], typer.Option("--n", min=2, help="Answers in a sample.")] = _SIZES,
    resamples: Annotated[int, typer.Option(min=10, help="Resamples of each interval.")] = 400,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS,
) -> None:
    """Draw samples and count."""
    console = Console(width=140)
    began = time.perf_counter()
    cells: dict[str, Any] = {}
    for design in DESIGNS:
        for n in sizes:
            for metric, found in cover(design, n, samples, resamples=resamples, seed=seed).items():
                cells.setdefault(metric, {}).setdefault(design, {})[str(n)] = found
    cells["ece_difference"] = {
        pair: {str(n): cover_difference(pair, n, samples, resamples=resamples // 2, seed=seed) for n in sizes}
        for pair in PAIRS
    }
    for metric, rows in cells.items():
        table = Table(f"{metric}: share held (bootstrap)", *(f"n = {n}" for n in sizes), box=None)
        for design, found in rows.items():
            table.add_row(design, *(f"{found[str(n)].held:.3f} ({found[str(n)].bootstrap:.3f})" for n in sizes))
        console.print(table)
    figures = {
        "samples": samples,
        "resamples": resamples,
        "seed": seed,
        "standard_error_at_95": round(float(np.sqrt(0.95 * 0.05 / samples)), 4),
        "minutes": round((time.perf_counter() - began) / 60, 1),
        "cells": {
            metric: {design: {n: _json(each) for n, each in found.items()} for design, found in rows.items()}
            for metric, rows in cells.items()
        },
    }
    output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _json(found: Coverage) -> dict[str, float]:
    return found.as_json()


if __name__ == "__main__":
    typer.run(main)
