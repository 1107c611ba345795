"""Real vLLM servers as tests need them: started with the flags of the deployment, killed, ended, started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import psutil

from tests.deploy.compose import read
from tests.support.servers import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
START_S = 400.0

_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    # Several servers share the cores; compiling would take longer than all that is asked of them.
    "TORCH_COMPILE_DISABLE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
}
_ON_A_CPU = ("--dtype=float32", "--enforce-eager", f"--kv-cache-memory-bytes={128 << 20}")
_OF_A_PLACE = ("--served-model-name", "--host", "--port")


def compose_flags(service: str) -> list[str]:
    """The flags that compose.gpu.yml starts a vLLM with, but for its name and its address."""
    stack = read(ROOT / "docker-compose.yml", ROOT / "compose.gpu.yml")
    _, *flags = stack["services"][service]["command"]
    return [flag for flag in flags if flag.split("=")[0] not in _OF_A_PLACE]


class VllmServer:
    """One vLLM server, which may be started and ended again and again on the same port.

    Args:
        argv: The command.
        port: Where it listens.
        log: Where its output goes.
        environment: What it is told beside what every server here is told.
    """

    def __init__(self, argv: Sequence[str], port: int, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._argv = list(argv)
        self.port = port
        self._log = log
        self._environment = {**os.environ, **_ENVIRONMENT, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was never started"
        return self._process

    def begin(self) -> None:
        """Start it unless it runs; wait_ready waits."""
        if self._process is not None and self._process.poll() is None:
            return
        self.clear()
        with self._log.open("ab") as stream:
            self._process = subprocess.Popen(
                self._argv, cwd=ROOT, env=self._environment, stdout=stream, stderr=stream, start_new_session=True
            )

    def wait_ready(self) -> None:
        """Wait until it answers."""

        def answers() -> bool:
            assert self.process.poll() is None, f"it ended while it started:\n{self.output()[-4000:]}"
            try:
                return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
            except httpx.HTTPError:
                return False

        wait_until(answers, START_S)

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers."""
        self.begin()
        self.wait_ready()

    def kill(self) -> None:
        """End the server's own process as the kernel ends one that takes too much memory."""
        self.process.kill()
        self.process.wait(30)

    def kill_engine(self) -> None:
        """End the process that runs the model, and only that one; the server has to notice by itself."""
        engines = [child for child in psutil.Process(self.process.pid).children() if "EngineCore" in _title(child)]
        assert len(engines) == 1, [_title(child) for child in psutil.Process(self.process.pid).children()]
        engines[0].kill()

    def terminate(self) -> None:
        """Send SIGTERM to the server's own process, as Compose and Kubernetes do."""
        self.process.send_signal(signal.SIGTERM)

    def clear(self) -> None:
        """End whatever is left of it: a killed server leaves its engine behind."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)

    def output(self) -> str:
        """Its output so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")


def _title(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def downstream_server(vllm: str, place: Path) -> VllmServer:
    """The downstream service with its vllm engine, and the flags of compose.gpu.yml after those that it gives."""
    port = free_port()
    flags = [*compose_flags("downstream"), *_ON_A_CPU]
    settings = {
        "ENGINE": "vllm",
        "VLLM_COMMAND": vllm,
        "PORT": str(port),
        "MAX_IMAGES": "1",
        "SHUTDOWN_GRACE_S": "45",
        "VLLM_ARGS": json.dumps(flags),
    }
    environment = {f"TRUSTVQA_DOWNSTREAM_{name}": value for name, value in settings.items()}
    return VllmServer([sys.executable, "-m", "services.downstream"], port, place / "downstream.log", environment)


def policy_server(vllm: str, place: Path, version: str) -> VllmServer:
    """A version of the policy as compose.gpu.yml serves it: under the version's own name."""
    port = free_port()
    argv = [vllm, "serve", f"models/{version}", f"--served-model-name={version}", "--host=127.0.0.1", f"--port={port}"]
    return VllmServer([*argv, *compose_flags("policy-engine"), *_ON_A_CPU], port, place / f"{version}.log")


@contextlib.contextmanager
def cleared(*servers: VllmServer) -> Iterator[None]:
    """End servers when the block ends, whatever became of them."""
    try:
        yield
    finally:
        for server in servers:
            server.clear()
