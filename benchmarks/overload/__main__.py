"""Measure answers in time under overload: python -m benchmarks.overload (or `make bench-overload`)."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.overload.study import FIXED, Gateway, Setting, at_loads, by_habit, running, while_it_halves
from benchmarks.results import write_figures
from benchmarks.serving.machine import load_average, machine
from benchmarks.serving.processes import ROOT

_OUTPUT = ROOT / "benchmarks" / "overload" / "results.json"
_PARTS = ("loads", "halving", "habits")


def main(
    slots: Annotated[int, typer.Option(min=2, help="Questions that the model answers at once.")] = 8,
    seconds: Annotated[float, typer.Option(min=0.01, help="Mean time of an answer of the model.")] = 0.4,
    patience: Annotated[float, typer.Option(min=0.1, help="How long a client waits, in seconds.")] = 4.0,
    lasts: Annotated[float, typer.Option(min=8, help="How long each load lasts, in seconds.")] = 12.0,
    warm: Annotated[float, typer.Option(min=0, help="How much of that is not counted.")] = 4.0,
    loads: Annotated[str, typer.Option(help="Multiples of the model's capacity, with commas between.")] = "0.5,1,2,4",
    parts: Annotated[str, typer.Option(help="Which: loads, halving, habits.")] = ",".join(_PARTS),
    says: Annotated[bool, typer.Option(help="Whether clients that ask again say how long they wait.")] = False,
    peer: Annotated[
        Path | None, typer.Option(help="A checkout of another version, to measure its gateway too.")
    ] = None,
    port: Annotated[int, typer.Option(help="First of two ports that are used.")] = 28_600,
    output: Annotated[Path, typer.Option(help="Where the figures go, beside those of other parts.")] = _OUTPUT,
) -> None:
    """Ask far more than a model with a number of slots answers, of this gateway and of one with a fixed gate.

    Right answers within the client's patience count. The model is a real server whose capacity is known; clients come
    by chance and wait for nobody.
    """
    setting = Setting(slots, seconds, patience, lasts, warm)
    gateways = [Gateway("adaptive", {}), Gateway("fixed", FIXED)]
    if peer is not None:
        gateways.append(Gateway("before", {}, peer.resolve()))
    result: dict[str, Any] = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    console = Console(width=150)
    for part in parts.split(","):
        before = load_average()[0]
        earlier = result.get(part, {}).get("gateways", {})
        found = {
            each.name: _joined(
                earlier.get(each.name, ()), asyncio.run(_measure(part, each, setting, loads, says, port))
            )
            for each in gateways
        }
        result[part] = {
            "machine": machine() | {"load_average": [before, load_average()[0]]},
            "capacity": setting.capacity,
            "patience_s": patience * (5 if part == "habits" else 1),
            "seconds_counted": lasts - warm,
            "gateways": found,
        }
        write_figures(output, result)
        console.print(_table(part, result[part]))
        if part == "loads":
            console.print(_verdict(result[part]))


async def _measure(
    part: str, gateway: Gateway, setting: Setting, loads: str, says: bool, port: int
) -> Sequence[dict[str, Any]]:
    (ROOT / "var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-overload-", dir=ROOT / "var"))
    try:
        with running(gateway, setting, port, folder) as (service, model):
            if part == "loads":
                return await at_loads(service, setting, [float(each) for each in loads.split(",")])
            if part == "halving":
                return await while_it_halves(service, model, setting)
            return await by_habit(service, setting, 2.0, says)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _label(row: Mapping[str, Any]) -> str:
    return str(row.get("load") or row.get("part") or row.get("habit"))


def _joined(earlier: Iterable[dict[str, Any]], rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join rows with those of an earlier run, which may have been of other loads."""
    labelled = {_label(row): row for row in (*earlier, *rows)}
    return [labelled[label] for label in sorted(labelled)]


def _verdict(found: Mapping[str, Any]) -> str:
    """One sentence a gateway about its highest load: what share of the capacity came in time, and how late the last."""
    said = []
    for name, rows in found["gateways"].items():
        row = max(rows, key=lambda row: float(row["load"]))
        share = row["per_second"] / found["capacity"]
        late = "nothing came in time" if row["p99_s"] is None else f"p99 {row['p99_s']:.2f} s"
        said.append(f"{name} at {row['load']:g} x: {share:.0%} of the capacity in time, {late}")
    return "\n".join(said)


def _table(part: str, found: dict[str, Any]) -> Table:
    title = f"{part}: capacity {found['capacity']:g}/s, patience {found['patience_s']:g} s"
    table = Table(title=title, box=None, padding=(0, 2, 0, 0), title_justify="left")
    for head in (
        "gateway",
        "",
        "in time/s (95 %)",
        "p50 s",
        "p99 s",
        "asked",
        "right",
        "tries",
        "statuses",
        "refused in s",
    ):
        table.add_column(head, justify="right")
    for name, rows in found["gateways"].items():
        for row in rows:
            table.add_row(
                name,
                _label(row),
                f"{row['per_second']:.1f} ({row['interval'][0]:.1f}, {row['interval'][1]:.1f})",
                *(str(row[key]) for key in ("p50_s", "p99_s", "asked", "right_in_time", "tries")),
                ", ".join(f"{times} x {status}" for status, times in row["statuses"].items()),
                str(row["refused_p50_s"]),
            )
    return table


if __name__ == "__main__":
    typer.run(main)
