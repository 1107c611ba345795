"""Measure what a training run waits for: python -m benchmarks.trainer (or `make bench-trainer`)."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.engine.servers import ROOT, embedded, running
from benchmarks.results import write_figures
from benchmarks.trainer import evaluating, report, rewarding, stepping
from benchmarks.trainer.delayed import delayed

# What the embedded downstream service runs at once unless it is told otherwise.
_MAX_BATCH = 32
_GENERATIONS = 8


def main(
    model: Annotated[Path, typer.Option(help="Directory of the downstream model.")] = ROOT
    / "models"
    / "downstream-mini-1",
    batch: Annotated[int, typer.Option(min=8, help="Completions of a batch, a multiple of 8.")] = 64,
    delay: Annotated[float, typer.Option(min=0, help="Latency of the delayed server, in seconds.")] = 0.1,
    questions: Annotated[int, typer.Option(min=0, help="Questions of the evaluation; 0 leaves it out.")] = 500,
    concurrency: Annotated[int, typer.Option(min=2, help="Questions of the evaluation in flight at once.")] = 32,
    steps: Annotated[int, typer.Option(min=0, help="Training steps after the first; 0 leaves them out.")] = 10,
    rounds: Annotated[int, typer.Option(min=0, help="Batches; 0 leaves the rewards out.")] = 5,
    evaluations: Annotated[int, typer.Option(min=1, help="Rounds of the evaluation.")] = 3,
    threads: Annotated[int, typer.Option(min=0, help="Threads of each process; 0 for one a core.")] = 0,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "trainer"
    / "results.json",
    logs: Annotated[Path, typer.Option(help="Where what the servers print goes.")] = ROOT / "var" / "bench-trainer",
) -> None:
    """Compare rewards and evaluation with one request after another, and say where a training step's time goes."""
    if batch % _GENERATIONS:
        raise typer.BadParameter(f"must be a multiple of {_GENERATIONS}", param_hint="--batch")
    terminal = Console()
    # A file or a pipe has no width of its own: write what a wide terminal would show.
    console = terminal if terminal.is_terminal else Console(width=120)
    cores = threads or os.cpu_count() or 1
    far, near = delayed(delay), embedded(model, _MAX_BATCH, cores)
    compared: dict[str, list[report.Timing]] = {}
    lines = []
    with tempfile.TemporaryDirectory() as temporary, running([far, near], logs, patience_s=120) as ready:
        if len(ready) < 2:
            raise typer.Exit(1)
        work = Path(temporary)
        if rounds:
            asked = asyncio.run(rewarding.batches(rounds + 1, batch, _GENERATIONS, work))
            for name, server in ((report.LATENCY, far), (report.ENGINE, near)):
                compared[name] = rewarding.measure(server, asked, in_flight=batch)
                console.print(f"{name}: measured")
        if questions:
            compared[report.EVALUATION] = evaluating.measure(near, questions, concurrency, evaluations, work)
            console.print(f"{report.EVALUATION}: measured")
        if steps:
            lines = stepping.measure(near, steps + 1, cores, work)
            console.print("training steps: measured")
    setup = {
        "model": model.name,
        "batch": batch,
        "delay_s": delay,
        "rounds": rounds,
        "questions": questions,
        "concurrency": concurrency,
        "evaluations": evaluations,
        "steps": steps,
        "threads": cores,
        "max_batch": _MAX_BATCH,
    }
    result = report.document(compared, lines, setup)
    write_figures(output, result)
    report.show(result, console)


if __name__ == "__main__":
    typer.run(main)
