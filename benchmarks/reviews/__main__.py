"""The worth of refits on reviews that are sometimes wrong: python -m benchmarks.reviews (or `make bench-reviews`).

Platt's calibrator is refitted on 400 drawn reviews of a model that is as it was, or that has become worse. The refit,
with the guard and without, is compared with no refit by the Brier score on 4,000 answers whose truth is known.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.reviews.simulation import Refit, refit
from prompt4trust.reviewing import FlipRates

RESULTS = Path(__file__).with_name("results.json")
_RATES = (FlipRates(), FlipRates(0.1, 0.1), FlipRates(0.2, 0.2), FlipRates(0.2, 0), FlipRates(0, 0.2))
_DRIFTS = (0.0, 0.7, 1.5)
_TWICE = (0.0, 0.3, 1.0)


def main(
    draws: Annotated[int, typer.Option(min=2, help="Refits of each kind.")] = 40,
    reviews: Annotated[int, typer.Option(min=100, help="Reviewed answers of a refit.")] = 400,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS,
) -> None:
    """Draw reviews, refit on them, and print what became of it."""
    began = time.perf_counter()
    table = Table("flips", "drift", "looked at twice", "published", "Brier, guarded", "95 % interval", "unguarded")
    figures: list[dict[str, Any]] = []
    for twice in _TWICE:
        for drift in _DRIFTS:
            for rates in _RATES:
                found = [refit(seed, rates, drift=drift, twice=twice, n=reviews) for seed in range(draws)]
                row = {"flips": asdict(rates), "drift": drift, "twice": twice, **_figures(found)}
                figures.append(row)
                low, high = row["interval"]
                table.add_row(
                    f"{rates.right_called_wrong:g}, {rates.wrong_called_right:g}",
                    f"{drift:g}",
                    f"{twice:g}",
                    f"{row['published']:.2f}",
                    f"{row['guarded']:+.4f}",
                    f"{low:+.4f} to {high:+.4f}",
                    f"{row['unguarded']:+.4f}",
                )
    Console(width=120).print(table)
    settings = {"draws": draws, "reviews": reviews, "seconds": round(time.perf_counter() - began, 1)}
    output.write_text(json.dumps({**settings, "rows": figures}, indent=2) + "\n", encoding="utf-8")


def _figures(found: list[Refit]) -> dict[str, Any]:
    """Average over draws: shares published, and Brier scores less those of no refit, guarded with its interval."""
    guarded = np.array([each.difference for each in found])
    half = 1.96 * guarded.std(ddof=1) / np.sqrt(len(guarded))
    return {
        "published": float(np.mean([each.accepted.passes for each in found])),
        "guarded": float(guarded.mean()),
        "interval": [float(guarded.mean() - half), float(guarded.mean() + half)],
        "worst": float(guarded.max()),
        "unguarded": float(np.mean([each.unguarded for each in found])),
    }


if __name__ == "__main__":
    typer.run(main)
