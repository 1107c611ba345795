"""Measure what records cost: python -m benchmarks.records (or `make bench-records`)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import httpx
import numpy as np
import psutil
import typer
import uvicorn
from fastapi import FastAPI, Request
from PIL import Image
from rich.console import Console
from rich.table import Table

from services.cli.supervisor import taken_ports

ROOT = Path(__file__).resolve().parents[2]
_START_S = 60.0


@dataclass(frozen=True)
class Contender:
    """A gateway with its way of keeping records."""

    name: str
    url: str
    process: subprocess.Popen[bytes]


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

    The models behind them reply at once, so that what the gateway itself does is all that takes time.
    """
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="bench-records-", dir=ROOT / "var"))
    kept = {"no records": "", "SQLite": f"sqlite:///{folder}/records.db"}
    if postgres:
        kept["PostgreSQL"] = postgres
    if taken := taken_ports("127.0.0.1", {f"port {n}": port + n for n in range(len(kept) + 1)}):
        raise typer.BadParameter(f"taken: {', '.join(map(str, taken.values()))}", param_hint="--port")
    try:
        with _models(port), ExitStack() as stack:
            contenders = [
                stack.enter_context(_gateway(name, url, port + 1 + place, port, folder))
                for place, (name, url) in enumerate(kept.items())
            ]
            measured = asyncio.run(_measure(contenders, requests, together, rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    setup = {"requests": requests, "together": together, "rounds": rounds}
    gateways = _summed_up(measured)
    result = {**setup, "cores": os.cpu_count(), "gateways": gateways}
    output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    console.print(_table(gateways))


async def _measure(
    contenders: list[Contender], requests: int, together: int, rounds: int
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


async def _turn(contender: Contender, requests: int, together: int) -> dict[str, float]:
    body = {"image": _picture(), "question": "Which shape?", "options": ["Round", "Oval"]}
    left = iter(range(requests))
    seconds: list[float] = []
    recorded: list[bool] = []
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=together)) as http:

        async def ask() -> None:
            for _ in left:
                started = time.perf_counter()
                response = await http.post(f"{contender.url}/vqa", json=body)
                seconds.append(time.perf_counter() - started)
                recorded.append(response.raise_for_status().json()["recorded"])

        before = _cpu_s(contender)
        started = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(together)))
        took = time.perf_counter() - started
    return {
        "cpu_ms": 1e3 * (_cpu_s(contender) - before) / requests,
        "answers_per_s": requests / took,
        "median_ms": 1e3 * median(seconds),
        "p95_ms": 1e3 * float(np.quantile(seconds, 0.95)),
        "recorded_percent": 100 * sum(recorded) / requests,
    }


def _cpu_s(contender: Contender) -> float:
    """Seconds of a core that a gateway has used, which say more than the clock where others use the machine too."""
    times = psutil.Process(contender.process.pid).cpu_times()
    return float(times.user + times.system)


def _summed_up(measured: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, Any]]:
    base = [turn["answers_per_s"] for turn in measured["no records"]]
    found: dict[str, dict[str, Any]] = {}
    for name, turns in measured.items():
        figures: dict[str, Any] = {key: round(median(turn[key] for turn in turns), 1) for key in turns[0]}
        # Within a round, the machine is in much the same mood.
        ratios = sorted(turn["answers_per_s"] / other for turn, other in zip(turns, base, strict=True))
        found[name] = {**figures, "of_no_records": [round(each, 3) for each in (ratios[0], median(ratios), ratios[-1])]}
    return found


def _table(gateways: dict[str, dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in (
        "records",
        "answers/s",
        "median ms",
        "p95 ms",
        "CPU ms an answer",
        "recorded %",
        "answers/s of no records (least, median, most)",
    ):
        table.add_column(head)
    for name, each in gateways.items():
        figures = [f"{each[key]:g}" for key in ("answers_per_s", "median_ms", "p95_ms", "cpu_ms", "recorded_percent")]
        table.add_row(name, *figures, ", ".join(f"{ratio:.2f}" for ratio in each["of_no_records"]))
    return table


@contextmanager
def _models(port: int) -> Iterator[None]:
    """Serve a policy and a downstream model that reply at once."""
    app = FastAPI()

    @app.post("/v1/cgp")
    async def guide(request: Request) -> dict[str, Any]:
        await request.body()
        return {"id": "1", "version": "policy-1", "prompts": [{"text": "Weigh the border.", "finish_reason": "stop"}]}

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> dict[str, Any]:
        await request.body()
        message = {"role": "assistant", "content": "The answer is B with confidence 95."}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return {"id": "1", "object": "chat.completion", "choices": choices}

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        _wait(f"http://127.0.0.1:{port}/openapi.json")
        yield
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def _gateway(name: str, records: str, port: int, models: int, folder: Path) -> Iterator[Contender]:
    settings = {
        "PORT": str(port),
        "POLICY_URL": f"http://127.0.0.1:{models}",
        "DOWNSTREAM_URL": f"http://127.0.0.1:{models}/v1",
        "REGISTRY": str(folder / "registry"),
        "RECORDS_URL": records,
        "METHODS": '["cgp"]',
        "LOG_LEVEL": "warning",
    }
    environment = {**os.environ, **{f"TRUSTVQA_GATEWAY_{key}": value for key, value in settings.items()}}
    with (folder / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.gateway"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health/live")
        yield Contender(name, f"http://127.0.0.1:{port}", process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait(url: str) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            httpx.get(url, timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _picture() -> str:
    buffer = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    typer.run(main)
