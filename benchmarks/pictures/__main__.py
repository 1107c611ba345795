"""Measure what hostile pictures cost: python -m benchmarks.pictures (or `make attack-pictures`)."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image, ImageFilter
from rich.console import Console

from benchmarks.pictures.questions import chat_body, gateway_body
from benchmarks.pictures.siege import Siege, phases
from benchmarks.results import write_figures
from benchmarks.serving.machine import machine
from benchmarks.serving.processes import ROOT, running_service
from benchmarks.serving.stand_ins import models_that_reply_at_once, settings_for

_OUTPUT = ROOT / "benchmarks" / "pictures" / "results.json"
_GRANTED_MB = 2 * 2**30 / 1e6
"""Memory that Compose grants each of the two services."""


def main(
    files: Annotated[int, typer.Option(min=1, help="Broken files sent to each service.")] = 20_000,
    together: Annotated[int, typer.Option(min=1, help="Connections that send them.")] = 4,
    quiet: Annotated[
        int, typer.Option(min=10, help="Questions beside nobody, and of each connection that asks the same.")
    ] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="How long a client of another address attacks.")] = 25.0,
    seed: Annotated[int, typer.Option(help="Another seed, other files.")] = 1,
    port: Annotated[int, typer.Option(help="First of three ports that are used.")] = 28_700,
    service: Annotated[str, typer.Option(help="gateway or downstream; the other's figures stay.")] = "",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = _OUTPUT,
) -> None:
    """Send broken pictures and known attacks to gateway and downstream service, and watch memory and others' waits."""
    result: dict[str, Any] = json.loads(output.read_text()) if service and output.exists() else {}
    result |= {"machine": machine(), "files": files, "together": together, "granted_mb": _GRANTED_MB}
    (ROOT / "var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="attack-pictures-", dir=ROOT / "var"))
    siege = Siege(gateway_body, "/vqa", _radiograph(), together, quiet, files, seconds, seed)
    try:
        if service != "downstream":
            settings = settings_for(port, folder, f"sqlite:///{folder}/records.db")
            with (
                models_that_reply_at_once(port),
                running_service("gateway", port + 1, settings, folder, ready="/health/live") as gateway,
            ):
                result["gateway"] = asyncio.run(phases(gateway, siege))
        if service != "gateway":
            asked = replace(siege, body=chat_body, path="/v1/chat/completions")
            with running_service("downstream", port + 2, {}, folder) as downstream:
                result["downstream"] = asyncio.run(phases(downstream, asked))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    write_figures(output, result)
    Console().print_json(data=result)


def _radiograph() -> bytes:
    """Make an ordinary picture: of a radiograph's size, some 50 KB."""
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 255, (1022, 905), dtype=np.uint8))
    picture = Image.blend(Image.linear_gradient("L").resize(noise.size), noise.filter(ImageFilter.GaussianBlur(1)), 0.3)
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=60)
    return buffer.getvalue()


if __name__ == "__main__":
    typer.run(main)
