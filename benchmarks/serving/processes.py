"""Services as processes: started, waited for, looked at, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[2]
_START_S = 180.0
_STOP_S = 30.0


@dataclass(frozen=True)
class Service:
    """A service that runs.

    Attributes:
        name: What tables call it.
        url: Where it answers.
        process: Its process.
        log: Where it writes, if that is known.
    """

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path = Path(os.devnull)

    def cpu_s(self) -> float:
        """Seconds of a core used so far, which say more than the clock where others use the machine too.

        Its own and those of the processes that it started, whether they still run or have ended.
        """
        spent = 0.0
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent += times.user + times.system + times.children_user + times.children_system
        return spent

    def rss_mb(self) -> float:
        """Memory that it and the processes that it started hold, in MB of 10^6 bytes."""
        held = 0
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                held += process.memory_info().rss
        return held / 1e6

    def _tree(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]


@contextmanager
def running_service(
    service: str,
    port: int,
    settings: Mapping[str, str],
    folder: Path,
    *,
    name: str = "",
    ready: str = "/health/ready",
    root: Path = ROOT,
    module: str = "",
) -> Iterator[Service]:
    """Run a service of the project for the length of a block.

    Args:
        service: gateway, policy, downstream or trainer.
        port: Where it is to listen, on loopback.
        settings: Further settings, in the environment's names without the prefix.
        folder: For its log.
        name: What tables call it; by default the service's name.
        ready: The path that answers once it can be asked.
        root: The checkout that it runs from.
        module: What is run; by default the service's own module.

    Raises:
        httpx.HTTPError: If it does not answer in time.
        RuntimeError: If it ends.
    """
    prefix = f"TRUSTVQA_{service.upper()}_"
    mine = {key: value for key, value in os.environ.items() if not key.startswith("TRUSTVQA_")}
    quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "HF_HUB_OFFLINE": "1"}
    told = {"PORT": str(port), "LOG_LEVEL": "warning", **settings}
    mine["PYTHONPATH"] = str(root)
    environment = {**quiet, **mine, **{f"{prefix}{key}": value for key, value in told.items()}}
    log = folder / f"{service}-{port}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", module or f"services.{service}"],
            cwd=root,
            env=environment,
            stdout=stream,
            stderr=stream,
        )
    with ending(process):
        wait_for(f"http://127.0.0.1:{port}{ready}", process)
        yield Service(name or service, f"http://127.0.0.1:{port}", process, log)


@contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process with a block: asked first, killed where it does not listen."""
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)


def wait_for(url: str, process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until an address answers.

    Raises:
        httpx.HTTPError: If it does not in time.
        RuntimeError: If its process ends.
    """
    deadline = time.monotonic() + _START_S
    while True:
        try:
            httpx.get(url, timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            if process is not None and process.poll() is not None:
                raise RuntimeError(f"the server of {url} ended with status {process.returncode}") from None
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
