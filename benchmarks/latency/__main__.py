"""Measure an answer beside one call of the downstream model: python -m benchmarks.latency (or `make bench-latency`)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.engine.servers import running, vllm
from benchmarks.latency.study import Stack, measure
from benchmarks.results import write_figures
from benchmarks.serving.machine import load_average, machine
from benchmarks.serving.processes import ROOT, running_service
from prompt4trust.prompts import load_answer_template
from services.gateway.settings import GatewaySettings
from trustvqa.cli.operate.service_processes import taken_ports

_OUTPUT = ROOT / "benchmarks" / "latency" / "results.json"
_MODEL = ROOT / "models" / "downstream-mini-1"


def main(
    rounds: Annotated[int, typer.Option(min=10, help="Of each kind one a round.")] = 100,
    vllm_command: Annotated[
        str, typer.Option("--vllm", envvar="VLLM", help="A vllm program, to measure it, too.")
    ] = "",
    port: Annotated[int, typer.Option(help="First of four ports that are used.")] = 28_600,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = _OUTPUT,
) -> None:
    """Time answers of the stack with the miniatures, one at a time, beside single calls of their downstream model."""
    if taken := taken_ports("127.0.0.1", {f"port {n}": port + n for n in range(4)}):
        raise typer.BadParameter(f"taken: {', '.join(map(str, taken.values()))}", param_hint="--port")
    result: dict[str, Any] = {"machine": machine(), "engines": {}}
    for engine in ("embedded", *(["vLLM"] if vllm_command else [])):
        (ROOT / "var").mkdir(exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix="bench-latency-", dir=ROOT / "var") as folder,
            _stack(Path(folder), port, vllm_command if engine == "vLLM" else "") as stack,
        ):
            result["engines"][engine] = measure(stack, rounds, seed=41_000)
    result["load_average_after"] = load_average()
    write_figures(output, result)
    _show(result, Console())


@contextmanager
def _stack(folder: Path, port: int, vllm_command: str) -> Iterator[Stack]:
    registry = {"REGISTRY": str(folder / "registry")}
    with ExitStack() as services:
        policy = services.enter_context(running_service("policy", port, registry, folder))
        if vllm_command:
            contender = vllm(vllm_command, _MODEL, 8, 1)
            if not services.enter_context(running([contender], folder, patience_s=300)):
                raise RuntimeError("vLLM does not answer")
            downstream, model = contender.url, contender.model
        else:
            served = services.enter_context(running_service("downstream", port + 1, registry, folder))
            downstream, model = f"{served.url}/v1", GatewaySettings().downstream_model
        told = {
            **registry,
            "POLICY_URL": policy.url,
            "DOWNSTREAM_URL": downstream,
            "DOWNSTREAM_MODEL": model,
            "RECORDS_URL": f"sqlite:///{folder}/records.db",
        }
        gateways = [
            services.enter_context(running_service("gateway", port + 2 + place, told | {"WARM_PREFIX": reach}, folder))
            for place, reach in enumerate(("near", "never"))
        ]
        template = load_answer_template(GatewaySettings().answer_template)
        yield Stack(gateways[0].url, gateways[1].url, policy.url, downstream, model, template)


def _show(result: dict[str, Any], console: Console) -> None:
    for engine, found in result["engines"].items():
        table = Table(title=f"{engine}, {found['n']} of each", box=None, padding=(0, 2, 0, 0), title_justify="left")
        for head in ("", "p50 ms", "p95 ms", "p50 of the call's (95 % interval)"):
            table.add_column(head, justify="right" if head else "left")
        for kind, ms in found["ms"].items():
            ratio = found["ratios"].get(kind)
            said = f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else ""
            table.add_row(kind, f"{ms['p50']:g}", f"{ms['p95']:g}", said)
        console.print(table)
    before, after = result["machine"]["load_average"][0], result["load_average_after"][0]
    console.print(f"load average {before:g} before and {after:g} after, {result['machine']['cores']} cores")


if __name__ == "__main__":
    typer.run(main)
