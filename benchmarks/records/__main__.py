"""Measure what records cost: python -m benchmarks.records (or `make bench-records`)."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import mean, median, stdev
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student_t

from benchmarks.results import write_figures
from benchmarks.serving.load import ask_all, one_question
from benchmarks.serving.processes import ROOT, Service, running_service
from benchmarks.serving.stand_ins import models_that_reply_at_once, settings_for
from trustvqa.cli.operate.service_processes import taken_ports

_BASE = "no records"
_WITHOUT = " without log"
_COMPARED = ("answers_per_s", "cpu_ms", "median_ms")
_NO_LOG = "benchmarks.records.without_log"


def main(
    requests: Annotated[int, typer.Option(min=1, help="Answers in a turn.")] = 200,
    together: Annotated[int, typer.Option(min=1, help="Requests in flight at once.")] = 32,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the gateways take turns within each.")] = 5,
    postgres: Annotated[str, typer.Option(help="Address of an empty PostgreSQL database, where there is one.")] = "",
    port: Annotated[int, typer.Option(help="First of the ports that are used.")] = 28_400,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "records"
    / "results.json",
) -> None:
    """Compare gateways that keep no records, keep them in SQLite and, where one is named, in PostgreSQL.

    Those that keep them run a second time without the audit log, which no setting does: what it costs is told by that.

    The models behind them reply at once, so that what the gateway itself does is all that takes time.
    """
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="bench-records-", dir=ROOT / "var"))
    kept = {
        _BASE: ("", ""),
        f"SQLite{_WITHOUT}": (f"sqlite:///{folder}/without.db", _NO_LOG),
        "SQLite": (f"sqlite:///{folder}/records.db", ""),
    }
    if postgres:
        kept["PostgreSQL"] = (postgres, "")
    if taken := taken_ports("127.0.0.1", {f"port {n}": port + n for n in range(len(kept) + 1)}):
        raise typer.BadParameter(f"taken: {', '.join(map(str, taken.values()))}", param_hint="--port")
    try:
        with models_that_reply_at_once(port), ExitStack() as stack:
            contenders = [
                stack.enter_context(
                    running_service(
                        "gateway",
                        port + 1 + place,
                        settings_for(port, folder, url),
                        folder,
                        name=name,
                        ready="/health/live",
                        module=module,
                    )
                )
                for place, (name, (url, module)) in enumerate(kept.items())
            ]
            measured = asyncio.run(_measure(contenders, requests, together, rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    setup = {"requests": requests, "together": together, "rounds": rounds}
    gateways = _summed_up(measured)
    result = {**setup, "cores": os.cpu_count(), "gateways": gateways}
    write_figures(output, result)
    console.print(_table(gateways))


async def _measure(
    contenders: list[Service], requests: int, together: int, rounds: int
) -> dict[str, list[dict[str, float]]]:
    measured: dict[str, list[dict[str, float]]] = {each.name: [] for each in contenders}
    for number in range(-1, rounds):  # the first round warms up and does not count
        for place in range(len(contenders)):
            # Turns change places, so that none always runs while the machine is at its best.
            contender = contenders[(place + number) % len(contenders)]
            turn = await _turn(contender, requests, together)
            if number >= 0:
                measured[contender.name].append(turn)
    return measured


async def _turn(contender: Service, requests: int, together: int) -> dict[str, float]:
    before = contender.cpu_s()
    turn = await ask_all(contender.url, one_question(requests), together)
    assert not turn.failed, f"{contender.name}: {turn.failed}"
    return {
        "cpu_ms": 1e3 * (contender.cpu_s() - before) / requests,
        "answers_per_s": turn.per_second,
        "median_ms": 1e3 * turn.quantile(0.5),
        "p95_ms": 1e3 * turn.quantile(0.95),
        "recorded_percent": 100 * turn.recorded / requests,
    }


def _summed_up(measured: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, turns in measured.items():
        figures: dict[str, Any] = {key: round(median(turn[key] for turn in turns), 1) for key in turns[0]}
        figures["of_no_records"] = _ratio(turns, measured[_BASE], "answers_per_s")
        if (without := measured.get(f"{name}{_WITHOUT}")) is not None:
            figures["of_no_log"] = {key: _ratio(turns, without, key) for key in _COMPARED}
        found[name] = figures
    return found


def _ratio(turns: list[dict[str, float]], others: list[dict[str, float]], key: str) -> list[float]:
    """Give the ratio of two gateways' turns and the ends of its 95 % interval.

    Turns are paired, as within a round the machine is in much the same mood: mean of the logarithms, by Student's t.
    """
    logs = [math.log(turn[key] / other[key]) for turn, other in zip(turns, others, strict=True)]
    most = float(student_t.ppf(0.975, len(logs) - 1)) * stdev(logs) / len(logs) ** 0.5 if len(logs) > 1 else math.inf
    return [round(math.exp(mean(logs) + each), 3) for each in (0.0, -most, most)]


def _table(gateways: dict[str, dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in (
        "records",
        "answers/s",
        "median ms",
        "p95 ms",
        "CPU ms an answer",
        "recorded %",
        "answers/s of no records (95 %)",
        "CPU of no audit log (95 %)",
    ):
        table.add_column(head)
    for name, each in gateways.items():
        figures = [f"{each[key]:g}" for key in ("answers_per_s", "median_ms", "p95_ms", "cpu_ms", "recorded_percent")]
        log = _in_words(each["of_no_log"]["cpu_ms"]) if "of_no_log" in each else ""
        table.add_row(name, *figures, _in_words(each["of_no_records"]), log)
    return table


def _in_words(ratio: list[float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*ratio)


if __name__ == "__main__":
    typer.run(main)
