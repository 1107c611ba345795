"""The whole stack, started as a person starts it, once for all system tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.servers import free_port_block
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
TRUSTVQA = Path(sys.executable).with_name("trustvqa")


@dataclass(frozen=True)
class Stack:
    """Four running services.

    Attributes:
        port: The gateway's; policy, downstream and trainer have the next three.
        process: The supervisor.
        output: What the supervisor printed.
        registry: The services' registry.
        logs: Folder of the services' logs.
    """

    port: int
    process: subprocess.Popen[bytes]
    output: Path
    registry: Path
    logs: Path

    @property
    def gateway(self) -> str:
        return self.url("gateway")

    def url(self, service: str) -> str:
        offset = ("gateway", "policy", "downstream", "trainer").index(service)
        return f"http://127.0.0.1:{self.port + offset}"

    def child(self, service: str) -> psutil.Process:
        """The process that runs a service now."""
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # one that was killed may go while it is looked at
                if f"services.{service}" in child.cmdline():
                    return child
        raise LookupError(service)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack on free ports with a registry of its own."""
    with running_stack(tmp_path_factory.mktemp("stack")) as started:
        yield started


@contextmanager
def running_stack(place: Path) -> Iterator[Stack]:
    """Run the stack on free ports with registry, records and logs in a folder, for the length of a block."""
    port = free_port_block(4)
    registry = {
        f"TRUSTVQA_{name}_REGISTRY": str(place / "registry") for name in ("GATEWAY", "POLICY", "DOWNSTREAM", "TRAINER")
    }
    records = {"TRUSTVQA_GATEWAY_RECORDS_URL": f"sqlite:///{place}/records.db"}
    output = place / "output.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [TRUSTVQA, "up", "--port", str(port), "--logs", str(place / "log")],
            cwd=ROOT,
            env={**os.environ, **registry, **records, "COLUMNS": "200"},
            stdout=stream,
            stderr=stream,
        )
    try:
        wait_until(lambda: process.poll() is not None or "TrustVQA is ready" in output.read_text(), 110)
        assert process.poll() is None, output.read_text()
        yield Stack(port, process, output, place / "registry", place / "log")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(40) == 0
        finally:
            process.kill()
