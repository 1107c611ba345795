"""Measure what the prefix cache is worth: python -m benchmarks.prefix (or `make bench-prefix`)."""

from __future__ import annotations

import asyncio
import os
import platform
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.engine.servers import ROOT, running
from benchmarks.prefix import report
from benchmarks.prefix.loads import LOADS, Turn, measure
from benchmarks.prefix.setting import Setting, as_shipped, full_size, questions
from benchmarks.results import write_figures


def main(
    vllm_command: Annotated[str, typer.Option("--vllm", envvar="VLLM", help="A vllm program.")],
    model: Annotated[Path, typer.Option(help="Directory of the model.")] = ROOT / "models" / "downstream-mini-1",
    rounds: Annotated[int, typer.Option(min=2, help="Rounds; the servers take turns within each.")] = 6,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each server.")] = 1,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "prefix"
    / "results.json",
    logs: Annotated[Path, typer.Option(help="Where what the servers print goes.")] = ROOT / "var" / "bench-prefix",
) -> None:
    """Put the same loads on vLLM with and without its prefix cache, with short prompts and with long ones."""
    console = Console()
    settings = [
        as_shipped(vllm_command, model, threads),
        full_size(vllm_command, model, threads, logs / "larger-pictures"),
    ]
    found: dict[str, Any] = {}
    for setting in settings:
        with running(list(setting.servers), logs, patience_s=400) as ready:
            if len(ready) < len(setting.servers):
                raise typer.Exit(1)
            measured = asyncio.run(_measure(setting, rounds, console))
        found[setting.name] = {
            "block": setting.block,
            "questions": setting.questions,
            "together": setting.together,
            "loads": report.figures(measured, setting.questions),
        }
    setup = {"model": model.name, "rounds": rounds, "threads": threads, "cores": os.cpu_count()}
    result = {"setup": {**setup, "machine": platform.machine(), "vllm": _version(vllm_command)}, "settings": found}
    write_figures(output, result)
    report.show(result, console)


async def _measure(setting: Setting, rounds: int, console: Console) -> dict[str, list[tuple[Turn, Turn]]]:
    measured: dict[str, list[tuple[Turn, Turn]]] = defaultdict(list)
    for number in range(-1, rounds):  # the first round warms up and does not count
        for place, (name, load) in enumerate(LOADS.items()):
            # Never the same questions twice on a server: what one load left in the cache would help the next.
            asked = questions(setting.questions, seed=100 * (number + 2) + place)
            turns: dict[int, Turn] = {}
            # Turns change places, so that neither always runs while the machine is at its best.
            for server in (0, 1) if (number + place) % 2 else (1, 0):
                turns[server] = await measure(setting.servers[server], load, asked, setting.together)
            if number >= 0:
                measured[name].append((turns[0], turns[1]))
        console.print(f"{setting.name}: " + (f"round {number + 1} of {rounds}" if number >= 0 else "warmed up"))
    return measured


def _version(program: str) -> str:
    """Read the version of the vLLM that a program belongs to, without starting it."""
    places = Path(program).resolve().parent.parent.glob("lib/python*/site-packages/vllm*.dist-info")
    return next((place.name.removesuffix(".dist-info").split("-", 1)[1] for place in sorted(places)), "unknown")


if __name__ == "__main__":
    typer.run(main)
