"""A service of a test's own beside the stack: it can be ended, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.support.servers import free_port
from tests.support.waiting import wait_until
from tests.system.conftest import ROOT

_STARTED_S = 110
_LOOK_S = 0.1
"""Between two questions whether it is ready: a client each, on the cores that it needs to start."""


class OwnService:
    """A service in a process of its own.

    Args:
        service: Which: gateway, policy, downstream or trainer.
        folder: For its log.
        settings: Its settings, in the environment's names without the prefix.
    """

    def __init__(self, service: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.service = service
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._settings = {"PORT": self.url.rpartition(":")[2], **settings}
        self.environment_beside: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / f"{self.service}.log").read_text()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process, while it runs."""
        assert self._process is not None
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, expect_end: bool = False) -> None:
        """Start it and wait until it answers, or, where that is expected, until it has ended."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TRUSTVQA_")}
        told = {f"TRUSTVQA_{self.service.upper()}_{key}": value for key, value in self._settings.items()}
        with (self.folder / f"{self.service}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"services.{self.service}"],
                cwd=ROOT, env={**clean, **told, **self.environment_beside},
                stdout=log, stderr=log,
            )  # fmt: skip
        self._process = process

        def is_there() -> bool:
            if process.poll() is not None:
                return True
            try:
                return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
            except httpx.HTTPError:
                return False

        wait_until(is_there, _STARTED_S, poll_s=_LOOK_S)
        assert (process.poll() is not None) is expect_end, self.log

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None
