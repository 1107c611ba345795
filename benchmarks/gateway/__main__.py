"""Measure what answers cost: python -m benchmarks.gateway (or `make bench-gateway`)."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.gateway import measure, pictures_table
from benchmarks.gateway.page import put
from benchmarks.gateway.real_size import made_pictures, read_pictures
from benchmarks.gateway.side_by_side import side_by_side
from benchmarks.gateway.sizing import need
from benchmarks.results import write_figures
from benchmarks.serving.machine import load_average, machine
from benchmarks.serving.processes import ROOT
from trustvqa.cli.operate.service_processes import taken_ports

_OUTPUT = ROOT / "benchmarks" / "gateway" / "results.json"
_PORTS = 6
_TOGETHER = (1, 8)
_TITLES = {
    "gateway": "one gateway, records on, its models stand-ins that reply at once",
    "embedded": "the four services with the miniature models, no guidance from the cache",
    "deployment": "the deployment",
}


def main(
    answers: Annotated[
        int, typer.Option(min=1, help="Questions a turn to the stack; the gateway alone gets 5 x.")
    ] = 32,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the concurrencies take turns within each.")] = 3,
    together: Annotated[str, typer.Option(help="Questions at once, with commas between.")] = "1,4,16,32",
    rate: Annotated[float, typer.Option(min=0, help="Questions a second to work out replicas for.")] = 10.0,
    headroom: Annotated[float, typer.Option(min=1, help="How much more than is needed on average.")] = 1.5,
    url: Annotated[str, typer.Option(help="A gateway that runs already: measure that one instead.")] = "",
    key: Annotated[str, typer.Option(envvar="TRUSTVQA_API_KEY", help="Its API key, with the scope ask.")] = "",
    picture: Annotated[list[Path] | None, typer.Option(help="A picture of one's own; may be given again.")] = None,
    litellm: Annotated[Path | None, typer.Option(help="LiteLLM's command, to measure it beside the gateway.")] = None,
    only_pictures: Annotated[bool, typer.Option(help="Leave out what does not send pictures of real size.")] = False,
    port: Annotated[int, typer.Option(help="First of nine ports that are used.")] = 28_500,
    output: Annotated[Path | None, typer.Option(help="Where the figures go.")] = None,
    page: Annotated[Path | None, typer.Option(help="A page to put them into, such as docs/operations.md.")] = None,
) -> None:
    """Measure answers a second, their times, processor time and memory, and work out replicas for a rate.

    Pictures of real size are sent to a gateway with records and evidence and, side by side, to LiteLLM's proxy.
    """
    console = Console()
    concurrencies = [int(each) for each in together.split(",")]
    result: dict[str, Any] = {"machine": machine(), "rounds": rounds, "questions": answers}
    kept = output or _OUTPUT
    if only_pictures and kept.exists():
        # The other figures stay those of their own run; the pictures' say on how busy a machine they were taken.
        result = json.loads(kept.read_text(encoding="utf-8"))
    if url:
        result["deployment"] = asyncio.run(measure.deployment(url, key, concurrencies, rounds, answers))
    else:
        if taken := taken_ports("127.0.0.1", {f"port {n}": port + n for n in range(_PORTS + 3)}):
            raise typer.BadParameter(f"taken: {', '.join(map(str, taken.values()))}", param_hint="--port")
        if not only_pictures:
            result |= _here(port, concurrencies, rounds, answers)
        sent = made_pictures() + read_pictures(picture or ())
        before = load_average()
        with _folder() as folder:
            result["real_size"] = asyncio.run(
                side_by_side(folder, port + _PORTS, sent, _TOGETHER, rounds, answers, litellm)
            ) | {"load_average": [before[0], load_average()[0]]}
    if not only_pictures:
        result["load_average_after"] = load_average()
    if output or not url:
        write_figures(kept, result)
    if page is not None and not url:
        if "load_average_after" not in result:
            raise typer.BadParameter("only pictures are no whole run: leave out --output", param_hint="--page")
        page.write_text(put(page.read_text(encoding="utf-8"), result), encoding="utf-8")
    if "real_size" in result:
        console.print("\n".join(pictures_table.render(result["real_size"])), highlight=False, soft_wrap=True)
    for name in (name for name in _TITLES if name in result and not only_pictures):
        console.print(_table(_TITLES[name], result[name]))
        for found in result[name]["concurrencies"]:
            if found["answers"]:
                console.print(f"  {need(found, rate, headroom)}", highlight=False)
    if not only_pictures:
        busy = result["machine"]["load_average"][0], result["load_average_after"][0]
        console.print(f"load average {busy[0]} before and {busy[1]} after, {result['machine']['cores']} cores")


def _here(port: int, concurrencies: list[int], rounds: int, answers: int) -> dict[str, Any]:
    found = {}
    for name, place, kind, count in (
        ("gateway", port, measure.gateway_alone, 5 * answers),
        ("embedded", port + 2, measure.embedded_stack, answers),
    ):
        with _folder() as folder:
            found[name] = asyncio.run(kind(folder, place, concurrencies, rounds, count))
    return found


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder for the length of a block."""
    (ROOT / "var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-gateway-", dir=ROOT / "var"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _table(title: str, found: Mapping[str, Any]) -> Table:
    table = Table(title=title, box=None, padding=(0, 2, 0, 0), title_justify="left")
    for head in ("at once", "answers/s (least, most)", "p50 ms", "p95 ms", "p99 ms", "CPU ms an answer", "n", "failed"):
        table.add_column(head, justify="right")
    for each in found["concurrencies"]:
        rates = each["per_second"]
        spent = ", ".join(f"{name} {ms:g}" for name, ms in each["cpu_ms"].items() if ms) or "unknown"
        table.add_row(
            str(each["together"]),
            f"{rates['median']:g} ({rates['least']:g}, {rates['most']:g})",
            *(f"{each[name]:g}" if each[name] is not None else "" for name in ("p50_ms", "p95_ms", "p99_ms")),
            spent,
            str(each["answers"]),
            ", ".join(f"{times} x {status}" for status, times in each["failed"].items()) or "0",
        )
    return table


if __name__ == "__main__":
    typer.run(main)
