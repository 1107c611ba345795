"""False alarms of the drift test, and the delay of right ones: python -m benchmarks.drift (or `make bench-drift`).

Confidences are distributed as those of the shipped calibrators were, as a mixture, and evenly. Calibrated streams are
exactly so, or off by all that is tolerated; shifts lift the expected calibration error to 0.10 at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.drift.streams import SHIFTS, Draw, beta_mixture, even, real_answers, shift_to, shipped_confidences
from benchmarks.drift.study import Delays, FalseAlarms, try_calibrated, try_shift, try_shuffled

RESULTS = Path(__file__).with_name("results.json")
_SHIPPED = Path(__file__).resolve().parents[2] / "models" / "calibrators"


def main(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Runs of the shipped calibrators' models on other questions: real answers, shuffled."),
    ] = None,
    streams: Annotated[int, typer.Option(min=10, help="Calibrated streams of each kind.")] = 1000,
    answers: Annotated[int, typer.Option(min=10, help="Answers in each of them.")] = 5000,
    shifted: Annotated[int, typer.Option(min=10, help="Streams of each kind of shift.")] = 400,
    start: Annotated[int, typer.Option(min=1, help="Answers before a shift that comes late.")] = 2000,
    after: Annotated[int, typer.Option(min=1, help="Answers after a shift.")] = 1500,
    ece: Annotated[float, typer.Option(min=0.01, max=0.5, help="Calibration error after a shift.")] = 0.10,
    tolerance: Annotated[float, typer.Option(min=0, max=0.4, help="What the test overlooks.")] = 0.02,
    alpha: Annotated[float, typer.Option(min=1e-6, max=0.5, help="Probability of a false alarm, ever.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS,
) -> None:
    """Count false alarms and measure delays."""
    console = Console(width=120)
    began = time.perf_counter()
    # A gateway gives its k-th stream alpha / (k (k + 1)): what that costs the first, the second and the fifth.
    levels = {f"alpha/{share:g}" if share > 1 else "alpha": alpha / share for share in (1, 2, 6, 30)}
    alphas = tuple(levels.values())
    draws: dict[str, Draw] = {f"shipped {name}": draw for name, draw in shipped_confidences(_SHIPPED).items()}
    draws |= {"mixture": beta_mixture, "even": even}
    nulls = _table("calibrated streams", "off by", "false alarms", "share", "95 % interval")
    found = _table("shift", "confidences", "from", "median delay", "95 % interval", "10 to 90 %", "within 600", "early")
    figures: dict[str, Any] = {"calibrated": {}, "shifted": {}}
    for name, draw in draws.items():
        for off in (0.0, -tolerance, tolerance):
            counted = try_calibrated(
                draw, streams=streams, answers=answers, tolerance=tolerance, off=off, alphas=alphas, seed=seed
            )
            figures["calibrated"].setdefault(name, {})[f"{off:+g}"] = _by_level(levels, counted)
            _add_null(nulls, name, off, counted[0])
        for kind in SHIFTS:
            try:
                truth = shift_to(kind, draw, ece)
            except ValueError as error:
                console.print(f"{name}: {error}")
                continue
            for before in (0, start):
                delays = try_shift(
                    draw,
                    truth,
                    streams=shifted,
                    start=before,
                    answers=after,
                    tolerance=tolerance,
                    alphas=alphas,
                    seed=seed + 1,
                )
                figures["shifted"].setdefault(kind, {}).setdefault(name, {})[str(before)] = _by_level(levels, delays)
                _add_shift(found, kind, name, delays[0], after)
    figures["real"] = {}
    real = _table("real answers", "answers", "tolerance", "orders with an alarm", "share")
    for run in runs or ():
        answers_of = list(real_answers(run, _SHIPPED))
        if not answers_of:
            console.print(f"{run}: no shipped calibrator is of its models, wording and estimators")
        for name, confidence, right in answers_of:
            for overlooked in (0.0, tolerance / 2, tolerance):
                orders = try_shuffled(
                    confidence, right, streams=min(streams, 200), tolerance=overlooked, alphas=alphas, seed=seed
                )
                figures["real"].setdefault(name, {})[f"{overlooked:g}"] = _by_level(levels, orders)
                told = f"{orders[0].alarms} of {orders[0].streams}"
                real.add_row(name, str(len(right)), f"{overlooked:g}", told, f"{orders[0].share:.3f}")
    console.print(nulls)
    console.print(found)
    if figures["real"]:
        console.print(real)
    setup = {
        **{"streams": streams, "answers": answers, "shifted": shifted, "start": start, "after": after, "ece": ece},
        **{"tolerance": tolerance, "alpha": alpha, "levels": levels, "seed": seed},
        "seconds": round(time.perf_counter() - began),
    }
    output.write_text(json.dumps({"setup": setup, **figures}, indent=1) + "\n", encoding="utf-8")
    console.print(str(output), soft_wrap=True, highlight=False)


def _by_level(levels: dict[str, float], found: Sequence[FalseAlarms | Delays]) -> dict[str, Any]:
    return {name: asdict(each) for name, each in zip(levels, found, strict=True)}


def _table(*heads: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, no_wrap=True)
    return table


def _add_null(table: Table, name: str, off: float, each: FalseAlarms) -> None:
    counted = f"{each.alarms} of {each.streams}"
    table.add_row(name, f"{off:+g}", counted, f"{each.share:.3f}", f"[{each.low:.3f}, {each.high:.3f}]")


def _add_shift(table: Table, kind: str, name: str, each: Delays, after: int) -> None:
    def said(value: float | None) -> str:
        return f"> {after}" if value is None else f"{value:.0f}"

    table.add_row(
        kind,
        name,
        str(each.start),
        said(each.median),
        f"{said(each.low)} to {said(each.high)}",
        f"{said(each.tenth)} to {said(each.ninetieth)}",
        f"{each.within:.2f}",
        str(each.early),
    )


if __name__ == "__main__":
    typer.run(main)
