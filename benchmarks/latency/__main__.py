"""Measure an answer beside one call of the downstream model: python -m benchmarks.latency (or `make bench-latency`)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.latency.stacks import NEEDS_VLLM, STACKS, USUAL, Place
from benchmarks.latency.study import KINDS, measure
from benchmarks.results import write_figures
from benchmarks.serving.machine import load_average, machine
from benchmarks.serving.processes import ROOT
from trustvqa.cli.operate.service_processes import taken_ports

_OUTPUT = ROOT / "benchmarks" / "latency" / "results.json"


def main(
    rounds: Annotated[int, typer.Option(min=10, help="Of each kind one a round.")] = 100,
    vllm_command: Annotated[
        str, typer.Option("--vllm", envvar="VLLM", help="A vllm program, to measure it, too.")
    ] = "",
    engines: Annotated[
        str,
        typer.Option(
            help="Which: embedded, vLLM, radiology, llava; by default the first and, where there is one, vLLM."
        ),
    ] = "",
    kinds: Annotated[
        str, typer.Option(help="Kinds to be timed, between semicolons, such as `warm; cold`; by default all.")
    ] = "",
    port: Annotated[int, typer.Option(help="First of four ports that are used.")] = 28_600,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = _OUTPUT,
) -> None:
    """Time answers, one at a time, beside single calls of their downstream model.

    By the stack with the miniatures, on the embedded engine and on vLLM; and by larger, slower models, where the
    radiology pair's parts are installed: that pair on the embedded engine, and a LLaVA of its language part on vLLM.
    """
    if taken := taken_ports("127.0.0.1", {f"port {n}": port + n for n in range(4)}):
        raise typer.BadParameter(f"taken: {', '.join(map(str, taken.values()))}", param_hint="--port")
    there = {name for name in STACKS if vllm_command or name not in NEEDS_VLLM}
    wanted = engines.split(",") if engines else [name for name in USUAL if name in there]
    if unknown := set(wanted) - there:
        raise typer.BadParameter(f"not there: {', '.join(sorted(unknown))}", param_hint="--engines")
    timed = [kind.strip() for kind in kinds.split(";")] if kinds else KINDS
    if strange := set(timed) - {*KINDS}:
        raise typer.BadParameter(f"not there: {'; '.join(sorted(strange))}", param_hint="--kinds")
    if kinds and output == _OUTPUT:
        raise typer.BadParameter("some kinds are no whole run: name another file", param_hint="--output")
    earlier = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    result: dict[str, Any] = {"engines": earlier.get("engines", {})}
    for engine in wanted:
        before = machine()
        (ROOT / "var").mkdir(exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix="bench-latency-", dir=ROOT / "var") as folder,
            STACKS[engine](Place(Path(folder), port, vllm_command)) as stack,
        ):
            found = measure(stack, rounds, seed=41_000, wanted=timed)
        result["engines"][engine] = {"machine": before, "load_average_after": load_average(), **found}
        write_figures(output, result)
        _show(engine, result["engines"][engine], Console())


def _show(engine: str, found: dict[str, Any], console: Console) -> None:
    table = Table(
        title=f"{found['model']}, {engine}, {found['n']} of each", box=None, padding=(0, 2, 0, 0), title_justify="left"
    )
    for head in ("", "p50 ms", "p95 ms", "p50 of the call's (95 % interval)", "of the gateway's own call's"):
        table.add_column(head, justify="right" if head else "left")
    for kind, ms in found["ms"].items():
        ratios = [_in_words(found[name].get(kind)) for name in ("ratios", "ratios_to_own_call")]
        table.add_row(kind, f"{ms['p50']:g}", f"{ms['p95']:g}", *ratios)
    console.print(table)
    before, after = found["machine"]["load_average"][0], found["load_average_after"][0]
    console.print(f"load average {before:g} before and {after:g} after, {found['machine']['cores']} cores")


def _in_words(ratio: Mapping[str, float] | None) -> str:
    return f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else ""


if __name__ == "__main__":
    typer.run(main)
