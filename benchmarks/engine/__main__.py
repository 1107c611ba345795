"""Measure the embedded engine: python -m benchmarks.engine (or `make bench-engine`)."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.engine import report
from benchmarks.engine.load import Length, Run, one_by_one, prompts, together
from benchmarks.engine.servers import ROOT, Contender, embedded, running, transformers_serve, vllm
from benchmarks.results import write_figures


def main(
    model: Annotated[Path, typer.Option(help="Directory of the model.")] = ROOT / "models" / "downstream-mini-1",
    requests: Annotated[int, typer.Option(min=2, help="Requests at once.")] = 32,
    singles: Annotated[int, typer.Option(min=1, help="Requests one at a time, in each round.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the servers take turns within each.")] = 5,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest reply.")] = 64,
    dtype: Annotated[str, typer.Option(help="Type of the embedded engine's weights: float32 or bfloat16.")] = "float32",
    parts: Annotated[
        Path | None,
        typer.Option(help="Directory of pretrained parts, for a model that names some; only this engine runs it."),
    ] = None,
    never: Annotated[
        int | None,
        typer.Option(help="Token that no reply may hold: of the end, replies of an untrained model have one length."),
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Threads of each server; 0 for one a core.")] = 0,
    vllm_command: Annotated[str, typer.Option("--vllm", envvar="VLLM", help="A vllm program; none by default.")] = "",
    python: Annotated[
        str,
        typer.Option(
            "--transformers-python",
            envvar="TRANSFORMERS_PYTHON",
            help="The Python of an environment with transformers and torchvision; by default the one vllm is in.",
        ),
    ] = "",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "engine"
    / "results.json",
    logs: Annotated[Path, typer.Option(help="Where what the servers print goes.")] = ROOT / "var" / "bench-engine",
) -> None:
    """Compare the embedded engine with itself one request at a time, transformers serve and vLLM."""
    console = Console()
    cores = threads or os.cpu_count() or 1
    contenders = [embedded(model, requests, cores, dtype, parts)]
    # Neither of the others knows a model that is joined of parts.
    if parts is not None:
        console.print("transformers serve and vLLM are left out: the model is made of parts")
    elif served := python or _beside(vllm_command):
        contenders.append(transformers_serve(served, model, cores, logs / "lent"))
    else:
        console.print("transformers serve is left out: it needs torchvision (see --transformers-python)")
    if vllm_command and parts is None:
        contenders.append(vllm(vllm_command, model, requests, cores))
    elif parts is None:
        console.print("vLLM is left out: name a program with --vllm or in the environment variable VLLM")
    with running(contenders, logs, patience_s=300) as ready:
        if not ready or ready[0].name != report.OWN:
            raise typer.Exit(1)
        measured = asyncio.run(_measure(ready, requests, singles, rounds, Length(max_tokens, never), console))
    setup = {"requests": requests, "singles": singles, "rounds": rounds, "max_tokens": max_tokens, "threads": cores}
    result = report.document(measured, {"model": model.name, "dtype": dtype, **setup})
    write_figures(output, result)
    report.show(result, console)


async def _measure(
    contenders: list[Contender], requests: int, singles: int, rounds: int, length: Length, console: Console
) -> dict[str, list[tuple[Run, Run]]]:
    measured: dict[str, list[tuple[Run, Run]]] = {contender.name: [] for contender in contenders}
    for number in range(-1, rounds):  # the first round warms up and does not count
        messages = prompts(requests, seed=1000 + number)
        # Turns change places, so that none always runs while the machine is at its best.
        for place in range(len(contenders)):
            contender = contenders[(place + number) % len(contenders)]
            batch = await together(contender, messages, length)
            # Other pictures one at a time, so that no prefix is known; the embedded engine has no such cache and
            # gets the same ones, to compare the texts.
            alone = messages if contender.name == report.OWN else prompts(singles, seed=5000 + number)
            single = await one_by_one(contender, alone[:singles], length)
            if number >= 0:
                measured[contender.name].append((single, batch))
        console.print(f"round {number + 1} of {rounds}" if number >= 0 else "warmed up")
    return measured


def _beside(program: str) -> str:
    """Find the Python of the environment that a vllm program belongs to."""
    found = shutil.which(program) if program else None
    candidate = Path(found).with_name("python") if found else None
    return str(candidate) if candidate is not None and candidate.is_file() else ""


if __name__ == "__main__":
    typer.run(main)
