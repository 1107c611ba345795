"""Measure what further workers are worth to a gateway: python -m benchmarks.workers (or `make bench-workers`)."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.gateway.real_size import made_pictures
from benchmarks.gateway.sizing import figures
from benchmarks.results import write_figures
from benchmarks.serving.load import Turn, ask_all
from benchmarks.serving.machine import load_average, machine
from benchmarks.serving.processes import ROOT, running_service
from benchmarks.serving.stand_ins import models_that_reply_at_once, settings_for
from benchmarks.workers.cores import CoresError, give_core, remove

_OUTPUT = ROOT / "benchmarks" / "workers" / "results.json"
_DRAWS = 2_000


def main(
    workers: Annotated[str, typer.Option(help="Numbers of workers, with commas between; first the fewest.")] = "1,2,4",
    part: Annotated[float, typer.Option(min=0.05, max=1, help="Of a real core, what each worker's core is.")] = 0.2,
    each: Annotated[int, typer.Option(min=1, help="Questions at once for each worker.")] = 4,
    answers: Annotated[int, typer.Option(min=4, help="Questions a turn for each worker.")] = 60,
    rounds: Annotated[int, typer.Option(min=2, help="Rounds; the numbers take turns within each.")] = 5,
    port: Annotated[int, typer.Option(help="First of the ports that are used.")] = 28_600,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = _OUTPUT,
) -> None:
    """Compare gateways of several numbers of workers, each with a core of its own, that answer JPEGs of 47 KB.

    A core is a fixed part of a real one (a control group's bound), for a worker and its decoder together; whoever asks
    and the models, stand-ins that reply at once, have the rest of the machine.
    """
    console = Console()
    counts = [int(number) for number in workers.split(",")]
    before = load_average()
    result: dict[str, Any] = {}

    def store(turns: Mapping[int, Sequence[Turn]]) -> None:
        """Write what there is: a run that is cut short has its rounds."""
        found = [_figures(turns[count], turns[counts[0]], count / counts[0], count) for count in counts]
        result.update(machine=machine(), part=part, load_average=[before, load_average()], workers=found)
        write_figures(output, result)

    try:
        with tempfile.TemporaryDirectory(prefix="bench-workers-", ignore_cleanup_errors=True) as folder:
            asyncio.run(_measure(Path(folder), port, counts, part, each, answers, rounds, store))
    except CoresError as error:
        console.print(str(error))
        raise typer.Exit(1) from None
    console.print(_table(result["workers"], part))
    console.print(json.dumps(result["load_average"]))


async def _measure(
    folder: Path,
    port: int,
    counts: Sequence[int],
    part: float,
    each: int,
    answers: int,
    rounds: int,
    done: Callable[[Mapping[int, Sequence[Turn]]], None],
) -> None:
    """Take turns, and tell of each round that counts; `done` gets the turns by number of workers so far."""
    body = made_pictures()[0].vqa_body()
    turns: dict[int, list[Turn]] = {count: [] for count in counts}
    names = []
    try:
        with ExitStack() as stack:
            stack.enter_context(models_that_reply_at_once(port))
            urls = {}
            for place, count in enumerate(counts, 1):
                own = folder / str(count)
                own.mkdir()
                settings = settings_for(port, own, f"sqlite:///{own}/records.db")
                # A decoder a worker; the rest is enough for whatever is asked at once here.
                settings |= {"WORKERS": str(count), "IMAGE_WORKERS": str(count)}
                gateway = stack.enter_context(
                    running_service("gateway", port + place, settings, own, ready="/health/live")
                )
                urls[count] = gateway.url
                for number, pids in enumerate(_workers(gateway.process.pid, count)):
                    names.append(f"{count}-{number}")
                    give_core(names[-1], part, pids)
            for counted in range(-1, rounds):
                for place in range(len(counts)):
                    count = counts[(place + counted) % len(counts)]
                    turn = await ask_all(urls[count], [body] * (answers * count), each * count)
                    if counted >= 0:
                        turns[count].append(turn)
                if counted >= 0:
                    done(turns)
    finally:
        for name in names:
            remove(name)


def _workers(pid: int, count: int) -> list[list[int]]:
    """List a gateway's workers, each with the processes that it has started."""
    process = psutil.Process(pid)
    spawned = (each for each in process.children() if "--multiprocessing-fork" in each.cmdline())
    found = [process] if count == 1 else list(spawned)
    if len(found) != count:
        raise RuntimeError(f"{len(found)} workers run, not {count}")
    return [[each.pid, *(child.pid for child in each.children(recursive=True))] for each in found]


def _figures(turns: Sequence[Turn], least: Sequence[Turn], cores: float, count: int) -> dict[str, Any]:
    rates = np.array([turn.per_second for turn in turns]) / np.array([turn.per_second for turn in least])
    draws = np.random.default_rng(0).choice(rates, (_DRAWS, len(rates)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    ratios = [float(each) for each in (median(rates), low, high)]
    return figures(turns) | {
        "workers": count,
        "times": [round(each, 3) for each in ratios],
        "times_per_added_core": [round((each - 1) / (cores - 1), 3) for each in ratios] if cores > 1 else None,
    }


def _table(found: Sequence[dict[str, Any]], part: float) -> Table:
    table = Table(title=f"a core is {part:g} of a real one", box=None, padding=(0, 2, 0, 0), title_justify="left")
    for head in ("workers", "at once", "answers/s", "times", "added core (95 %)", "p50 ms", "p99 ms", "n"):
        table.add_column(head, justify="right")
    for each in found:
        added = each["times_per_added_core"]
        table.add_row(
            str(each["workers"]),
            str(each["together"]),
            f"{each['per_second']['median']:g}",
            f"{each['times'][0]:.2f}",
            f"{added[0]:.2f} ({added[1]:.2f}, {added[2]:.2f})" if added else "",
            f"{each['p50_ms']:g}",
            f"{each['p99_ms']:g}",
            f"{each['answers']}, failed {sum(each['failed'].values())}",
        )
    return table


if __name__ == "__main__":
    typer.run(main)
