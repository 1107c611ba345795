"""Measure an answer beside one call of the downstream model: python -m benchmarks.latency (or `make bench-latency`)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.engine.servers import running, vllm
from benchmarks.latency.study import KINDS, Stack, measure
from benchmarks.results import write_figures
from benchmarks.serving.machine import load_average, machine
from benchmarks.serving.processes import ROOT, running_service
from prompt4trust.prompts import load_answer_template
from services.gateway.settings import GatewaySettings
from trustvqa.cli.operate.service_processes import taken_ports

_OUTPUT = ROOT / "benchmarks" / "latency" / "results.json"
_MODEL = ROOT / "models" / "downstream-mini-1"
_RADIOLOGY = ROOT / "models" / "radiology-1"


def main(
    rounds: Annotated[int, typer.Option(min=10, help="Of each kind one a round.")] = 100,
    vllm_command: Annotated[
        str, typer.Option("--vllm", envvar="VLLM", help="A vllm program, to measure it, too.")
    ] = "",
    engines: Annotated[
        str, typer.Option(help="Which: embedded, vLLM, radiology; by default the first and, where there is one, vLLM.")
    ] = "",
    kinds: Annotated[
        str, typer.Option(help="Kinds to be timed, between semicolons, such as `warm; cold`; by default all.")
    ] = "",
    port: Annotated[int, typer.Option(help="First of four ports that are used.")] = 28_600,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = _OUTPUT,
) -> None:
    """Time answers, one at a time, beside single calls of their downstream model.

    By the stack with the miniatures, on the embedded engine and on vLLM; and by the radiology pair, larger and slower,
    on the embedded engine, where its parts are installed.
    """
    if taken := taken_ports("127.0.0.1", {f"port {n}": port + n for n in range(4)}):
        raise typer.BadParameter(f"taken: {', '.join(map(str, taken.values()))}", param_hint="--port")
    usual = ("embedded", *(["vLLM"] if vllm_command else []))
    wanted = engines.split(",") if engines else usual
    if unknown := set(wanted) - {*usual, "radiology"}:
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
            _radiology(Path(folder), port)
            if engine == "radiology"
            else _stack(Path(folder), port, vllm_command if engine == "vLLM" else "") as stack,
        ):
            found = measure(stack, rounds, seed=41_000, wanted=timed)
        result["engines"][engine] = {"machine": before, "load_average_after": load_average(), **found}
        write_figures(output, result)
        _show(engine, result["engines"][engine], Console())


@contextmanager
def _stack(folder: Path, port: int, vllm_command: str) -> Iterator[Stack]:
    registry = {"REGISTRY": str(folder / "registry")}
    with ExitStack() as services:
        policy = services.enter_context(running_service("policy", port, registry, folder))
        if vllm_command:
            # Under the name that the shipped calibrators know it by: to another one they would not be applied.
            contender = vllm(vllm_command, _MODEL, 8, 1, served_as=GatewaySettings().downstream_model)
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


@contextmanager
def _radiology(folder: Path, port: int) -> Iterator[Stack]:
    registry, model = {"REGISTRY": str(folder / "registry")}, _RADIOLOGY.name
    told = registry | {"MODEL_PATH": str(_RADIOLOGY), "MODEL": model, "MAX_MODEL_LEN": "2048"}
    with running_service("downstream", port + 1, told, folder) as downstream:
        asked = {
            **registry,
            "SHIPPED": str(_RADIOLOGY),
            "POLICY_URL": f"http://127.0.0.1:{port}",
            "DOWNSTREAM_URL": f"{downstream.url}/v1",
            "DOWNSTREAM_MODEL": model,
            "METHODS": '["logprob"]',
            "ATYPICALITY_LIMIT": "0.92",
            "RECORDS_URL": f"sqlite:///{folder}/records.db",
        }
        with running_service("gateway", port + 2, asked, folder) as gateway:
            template = load_answer_template(GatewaySettings().answer_template)
            yield Stack(gateway.url, gateway.url, None, f"{downstream.url}/v1", model, template, "logprob")


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
