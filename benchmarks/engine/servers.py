"""The servers that are compared: started, waited for, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Contender:
    """A server to measure.

    Attributes:
        name: What the table calls it.
        argv: How it is started.
        port: Where it listens.
        model: The name that requests must use.
        environment: What is set for it beside this process's environment.
    """

    name: str
    argv: list[str]
    port: int
    model: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Base URL of its OpenAI API."""
        return f"http://127.0.0.1:{self.port}/v1"


def embedded(model: Path, batch: int, threads: int, dtype: str = "float32", parts: Path | None = None) -> Contender:
    """Describe the project's own downstream service."""
    port = _free_port()
    settings = {
        "TRUSTVQA_DOWNSTREAM_PORT": str(port),
        "TRUSTVQA_DOWNSTREAM_MODEL_PATH": str(model),
        "TRUSTVQA_DOWNSTREAM_MODEL": "bench",
        "TRUSTVQA_DOWNSTREAM_MAX_BATCH": str(batch),
        "TRUSTVQA_DOWNSTREAM_ENGINE": "transformers",
        "TRUSTVQA_DOWNSTREAM_DTYPE": dtype,
        "TRUSTVQA_DOWNSTREAM_PARTS": "" if parts is None else str(parts),
        "TRUSTVQA_DOWNSTREAM_MAX_MODEL_LEN": "" if parts is None else "2048",
        "TRUSTVQA_DOWNSTREAM_DEVICE": "cpu",
    }
    argv = [sys.executable, "-m", "services.downstream"]
    return Contender("embedded", argv, port, "bench", settings | _threads(threads))


def transformers_serve(python: str, model: Path, threads: int, lent: Path) -> Contender:
    """Describe transformers' own server.

    Args:
        python: The Python of an environment with transformers and torchvision.
        model: The model.
        threads: Of the model's arithmetic.
        lent: Directory through which that environment gets accelerate from this one: serve needs it, vLLM does not.
    """
    port = _free_port()
    argv = [python, str(Path(__file__).with_name("serve_transformers.py")), str(model)]
    argv += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    _lend("accelerate", lent)
    return Contender("transformers serve", argv, port, str(model), {**_threads(threads), "PYTHONPATH": str(lent)})


def _lend(package: str, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(PackageNotFoundError):
        site = Path(str(distribution(package).locate_file("")))
        for found in (site / package, *site.glob(f"{package}-*.dist-info")):
            (place / found.name).unlink(missing_ok=True)
            (place / found.name).symlink_to(found)


def vllm(program: str, model: Path, batch: int, threads: int, served_as: str = "bench") -> Contender:
    """Describe vLLM on a CPU.

    Args:
        program: The vllm command.
        model: The model.
        batch: Sequences at once.
        threads: Of the model's arithmetic.
        served_as: The model's name there. Calibrators know a model by its name: where they are to fit, it is theirs.
    """
    port = _free_port()
    argv = [program, "serve", str(model), "--served-model-name", served_as, "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--dtype", "float32", "--enforce-eager", "--max-model-len", "1024", "--max-num-seqs", str(batch)]
    argv += ["--kv-cache-memory-bytes", str(128 << 20), "--limit-mm-per-prompt", '{"image": 1, "video": 0}']
    argv += ["--generation-config", "vllm"]
    settings = {
        "TORCH_COMPILE_DISABLE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    return Contender("vLLM", argv, port, served_as, settings | _threads(threads))


@contextlib.contextmanager
def running(contenders: list[Contender], logs: Path, patience_s: float) -> Iterator[list[Contender]]:
    """Start servers and stop them at the end.

    Args:
        contenders: Which.
        logs: Directory for what they print.
        patience_s: Seconds until all must answer.

    Yields:
        Those that answer; one that does not is reported and left out.
    """
    logs.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(_process(contender, logs)) for contender in contenders]
        ready = []
        until = time.monotonic() + patience_s
        for contender, process in zip(contenders, processes, strict=True):
            if _wait(contender, process, until):
                ready.append(contender)
            else:
                print(f"{contender.name} does not start; see {logs / _log_name(contender)}", file=sys.stderr)
        yield ready


@contextlib.contextmanager
def _process(contender: Contender, logs: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", **contender.environment}
    with (logs / _log_name(contender)).open("wb") as log:
        process = subprocess.Popen(
            contender.argv, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            # The whole group: vLLM's engine is a process of its own.
            for sign, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, sign)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(patience)
                    break


def _wait(contender: Contender, process: subprocess.Popen[bytes], until: float) -> bool:
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{contender.port}/health", timeout=5).status_code == httpx.codes.OK:
                return True
        time.sleep(0.2)
    return False


def _log_name(contender: Contender) -> str:
    return f"{contender.name.replace(' ', '-')}.log"


def _threads(threads: int) -> dict[str, str]:
    # Waiting threads that spin take the core from the others; see docs/operations.md.
    return {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
