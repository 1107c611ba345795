"""LiteLLM's proxy, from an environment of its own: the peer of a gateway that only hands pictures on."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving.processes import Service, ending, wait_for

_QUIET = {
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "OMP_NUM_THREADS": "1",
}


def litellm_version(command: Path) -> str:
    """Ask the command's environment which release it is."""
    code = "from importlib.metadata import version; print(version('litellm'))"
    return subprocess.run(
        [str(command.parent / "python"), "-c", code], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


@contextmanager
def running_litellm(command: Path, port: int, model: str, models: str, folder: Path) -> Iterator[Service]:
    """Run the proxy on loopback, one process, for the length of a block.

    Args:
        command: Its command, `litellm` of an environment with litellm[proxy].
        port: Where it is to listen.
        model: The model's name.
        models: Address of the server behind it, up to and with /v1.
        folder: For its settings and its log.

    Raises:
        httpx.HTTPError: If it does not answer in time.
        RuntimeError: If it ends.
    """
    told = {"model": f"openai/{model}", "api_base": models, "api_key": "none"}
    settings = {
        "model_list": [{"model_name": model, "litellm_params": told}],
        "litellm_settings": {"telemetry": False, "request_timeout": 120},
    }
    path = folder / "litellm.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    with (folder / "litellm.log").open("wb") as stream:
        process = subprocess.Popen(
            [str(command), "--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"],
            env={**os.environ, **_QUIET},
            cwd=folder,
            stdout=stream,
            stderr=stream,
        )
    with ending(process):
        wait_for(f"http://127.0.0.1:{port}/health/liveliness", process)
        yield Service("LiteLLM", f"http://127.0.0.1:{port}", process)
