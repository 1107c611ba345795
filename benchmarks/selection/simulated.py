"""Promises on few rows, by procedure: python -m benchmarks.selection.simulated (`make bench-promises`).

Answers come from populations whose risk is known at every threshold, so that a broken promise is known for certain.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.results import write_figures
from benchmarks.selection.populations import POPULATIONS, Population
from benchmarks.selection.procedures import PROCEDURES

RESULTS = Path(__file__).with_name("results-simulated.json")
RISKS = (0.05, 0.10, 0.20)
SIZES = [200, 500, 1000, 2000, 5000]
_ENOUGH = 1e-9


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a procedure in so many draws of checked answers.

    Attributes:
        answered: Mean share of the population that is answered.
        spread: Standard error of that mean.
        broken: Share of draws in which the population's share of wrong answers among those given exceeds max_risk.
        beside: Mean of the difference to the product's rule in the same draws: below 0 where this one answers less.
        beside_error: Standard error of that difference.
    """

    answered: float
    spread: float
    broken: float
    beside: float
    beside_error: float


def try_procedures(
    population: Population, n: int, draws: int, risks: tuple[float, ...] = RISKS, *, delta: float = 0.05, seed: int = 0
) -> Mapping[float, Mapping[str, Outcome]]:
    """Draw checked answers, and answer by each procedure.

    Args:
        population: Where they come from.
        n: Checked answers of a draw.
        draws: Draws.
        risks: Accepted risks in (0, 1).
        delta: Probability with which each promise may fail.
        seed: Seed of the draws.

    Returns:
        Risk -> procedure -> outcome.
    """
    rank, wrong = population.draw(np.random.default_rng([seed, n]), draws, n)
    found: dict[float, dict[str, Outcome]] = {}
    for risk in risks:
        given = {name: answer(population, rank, wrong, risk, delta) for name, answer in PROCEDURES.items()}
        ours = next(iter(given.values()))
        found[risk] = {
            name: Outcome(
                float(share.mean()),
                float(share.std() / np.sqrt(draws)),
                float(np.mean(population.risk(share) > risk + _ENOUGH)),
                float((share - ours).mean()),
                float((share - ours).std() / np.sqrt(draws)),
            )
            for name, share in given.items()
        }
    return found


def main(
    draws: Annotated[int, typer.Option(min=10, help="Draws of checked answers a cell.")] = 1000,
    sizes: Annotated[list[int], typer.Option("--n", min=50, help="Checked answers of a draw.")] = SIZES,
    delta: Annotated[float, typer.Option(min=1e-6, max=0.5, help="Probability with which a promise may fail.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS,
) -> None:
    """Count what is answered and which promises are broken."""
    console, began = Console(width=160), time.perf_counter()
    cells: dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]] = {}
    for place, (name, population) in enumerate(POPULATIONS.items()):
        for n in sizes:
            found = try_procedures(population, n, draws, delta=delta, seed=1000 * seed + place)
            for risk, outcomes in found.items():
                cells.setdefault(name, {}).setdefault(f"{risk:g}", {})[str(n)] = {
                    procedure: {key: round(value, 5) for key, value in asdict(outcome).items()}
                    for procedure, outcome in outcomes.items()
                }
        for risk in RISKS:
            table = Table(f"{name}, risk {risk:g} (at best {population.most(risk):.3f})", *map(str, sizes), box=None)
            for procedure in PROCEDURES:
                row = (cells[name][f"{risk:g}"][str(n)][procedure] for n in sizes)
                table.add_row(procedure, *(f"{each['answered']:.3f} ({each['broken']:.3f})" for each in row))
            console.print(table)
    minutes = round((time.perf_counter() - began) / 60, 1)
    settings = {"draws": draws, "delta": delta, "seed": seed, "minutes": minutes}
    write_figures(output, {"settings": settings, "cells": cells})


if __name__ == "__main__":
    typer.run(main)
