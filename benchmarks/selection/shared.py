"""Promises where several checked questions are about one picture: python -m benchmarks.selection.shared.

Pictures come from populations whose risk among all answers is known at every threshold. How alike the answers about a
picture are is set by one number from 0 to 1, the intraclass correlation of what makes them right and of what makes them
sure (of normal variables behind both).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from scipy.special import ndtr

from benchmarks.results import write_figures
from benchmarks.selection.populations import POPULATIONS, Floats, Population
from benchmarks.selection.shared_procedures import PROCEDURES, SLOW, Checked

RESULTS = Path(__file__).with_name("results-shared.json")
RISKS = (0.1, 0.2)
PICTURES = [25, 100, 500]
ALIKE = (0.0, 0.3, 1.0)
NAMES = ("calibrated, mostly sure", "sharp, mostly right", "just too risky")
"""Two of `POPULATIONS`, and one where any answer at all breaks the promise."""
_ENOUGH = 1e-9
_MOST_ALIKE = 0.95
"""Answers about one picture are never equally sure: ties would be told apart by chance."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions about a picture.

    Attributes:
        least: Of a picture with fewest.
        most: Of one with most; all numbers between are as frequent.
        hard: Whether the chance of a wrong answer rises with their number, or is the same.
    """

    least: int
    most: int
    hard: bool = False

    def harder(self, number: Floats) -> Floats:
        """Compute by how much more often answers about pictures with so many questions are wrong."""
        sizes = np.arange(self.least, self.most + 1)
        return number * (sizes.sum() / np.square(sizes).sum()) if self.hard else np.ones(len(number))

    def among_all(self, population: Population) -> Population:
        """Compute the population of answers about all such pictures, where one with more questions counts for more."""
        sizes = np.arange(self.least, self.most + 1, dtype=np.float64)
        chance = np.minimum(population.wrong[None] * self.harder(sizes)[:, None], 1)
        return Population(population.mass, np.asarray(sizes @ chance / sizes.sum()))


ASKED: Mapping[str, Asked] = MappingProxyType(
    {
        "4": Asked(4, 4),
        "1 to 12, harder where more": Asked(1, 12, hard=True),
    }
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a procedure in so many draws of checked answers.

    Attributes:
        answered: Mean share of the population that is answered.
        broken: Share of draws in which more of all answers given are wrong than was promised.
    """

    answered: float
    broken: float


def population_of(name: str, risk: float) -> Population:
    """Make a population; that which is just too risky depends on the accepted risk."""
    if name in POPULATIONS:
        return POPULATIONS[name]
    return Population(np.full(101, 1 / 101), np.full(101, 1.001 * risk))


def draw(population: Population, asked: Asked, pictures: int, alike: float, random: np.random.Generator) -> Checked:
    """Draw pictures with the answers to all questions about them.

    Args:
        population: Of answers about a picture with a usual number of questions.
        asked: Their number.
        pictures: Number of pictures.
        alike: In [0, 1]: 0 where answers about one picture have nothing in common, 1 where all are right or all wrong.
        random: Chance.
    """
    sizes = random.integers(asked.least, asked.most + 1, pictures)
    picture = np.repeat(np.arange(pictures), sizes)

    def shared(part: float) -> Floats:
        own, common = random.standard_normal(len(picture)), random.standard_normal(pictures)
        return np.asarray(ndtr(np.sqrt(part) * common[picture] + np.sqrt(1 - part) * own))

    rank, luck = shared(min(alike, _MOST_ALIKE)), shared(alike)
    level = np.minimum(np.searchsorted(population.ends, rank), len(population.wrong) - 1)
    chance = population.wrong[level] * asked.harder(sizes.astype(np.float64))[picture]
    order = np.argsort(rank)
    return Checked(rank[order], (luck < chance)[order], picture[order], pictures)


def try_procedures(
    name: str, asked: Asked, pictures: int, alike: float, *, draws: int, delta: float = 0.05, seed: int = 0
) -> dict[float, dict[str, Outcome]]:
    """Draw checked answers, and answer by each procedure.

    Args:
        name: The population's name.
        asked: Questions about a picture.
        pictures: Pictures of a draw.
        alike: See `draw`.
        draws: Draws.
        delta: Probability with which each promise may fail.
        seed: Seed of the draws.

    Returns:
        Risk -> procedure -> outcome.
    """
    found: dict[float, dict[str, Outcome]] = {}
    for risk in RISKS:
        population, random = population_of(name, risk), np.random.default_rng([seed, pictures])
        given: dict[str, list[float]] = {each: [] for each in PROCEDURES}
        for number in range(draws):
            checked = draw(population, asked, pictures, alike, random)
            for each, answer in PROCEDURES.items():
                if number % 10 == 0 or each not in SLOW:
                    given[each].append(answer(checked, risk, delta, random))
        truth = asked.among_all(population)
        found[risk] = {
            each: Outcome(float(np.mean(shares)), float(np.mean(truth.risk(np.array(shares)) > risk + _ENOUGH)))
            for each, shares in given.items()
        }
    return found


def main(
    draws: Annotated[int, typer.Option(min=10, help="Draws of checked answers a cell.")] = 1000,
    pictures: Annotated[list[int], typer.Option("--pictures", min=10, help="Pictures of a draw.")] = PICTURES,
    delta: Annotated[float, typer.Option(min=1e-6, max=0.5, help="Probability with which a promise may fail.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS,
) -> None:
    """Count what is answered and which promises are broken."""
    console, began, cells = Console(width=160), time.process_time(), []
    for name in NAMES:
        for questions, asked in ASKED.items():
            for alike in ALIKE:
                for number in pictures:
                    found = try_procedures(name, asked, number, alike, draws=draws, delta=delta, seed=seed)
                    where = {"population": name, "questions": questions, "alike": alike, "pictures": number}
                    cells += [
                        {**where, "risk": risk, "procedure": each, **_rounded(outcome)}
                        for risk, outcomes in found.items()
                        for each, outcome in outcomes.items()
                    ]
        console.print(f"{name}: {(time.process_time() - began) / 60:.1f} minutes of CPU", highlight=False)
    console.print(_table(cells))
    minutes = round((time.process_time() - began) / 60, 1)
    write_figures(
        output,
        {
            "settings": {"draws": draws, "slow": draws // 10, "delta": delta, "seed": seed, "minutes": minutes},
            "cells": cells,
        },
    )


def _rounded(outcome: Outcome) -> dict[str, float]:
    return {key: round(value, 4) for key, value in asdict(outcome).items()}


def _table(cells: Sequence[Mapping[str, object]]) -> Table:
    """Show the mean share answered, and the largest share of broken promises, by how alike answers are."""
    columns = [(risk, alike) for risk in RISKS for alike in ALIKE]
    table = Table("procedure", *(f"risk {risk:g}, alike {alike:g}" for risk, alike in columns), "most broken", box=None)
    for each in PROCEDURES:
        own = [cell for cell in cells if cell["procedure"] == each]
        shares = [
            np.mean([float(str(cell["answered"])) for cell in own
                     if (cell["risk"], cell["alike"]) == column and cell["population"] in POPULATIONS])
            for column in columns
        ]  # fmt: skip
        worst = max(float(str(cell["broken"])) for cell in own)
        table.add_row(each, *(f"{share:.3f}" for share in shares), f"{worst:.3f}")
    return table


if __name__ == "__main__":
    typer.run(main)
