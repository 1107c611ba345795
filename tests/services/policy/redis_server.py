"""A private Redis for tests, from the package of the distribution."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.waiting import wait_until


@dataclass(frozen=True)
class RedisServer:
    """A running server that listens on a Unix socket alone.

    Attributes:
        url: Its address, as services are told.
        process: Its process.
    """

    url: str
    process: subprocess.Popen[bytes]

    def client(self) -> Any:
        """A client of it."""
        return redis.Redis.from_url(self.url)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Nothing is answered for the length of a block; connections stay."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Serve Redis from a folder of its own until the block ends; skip the test where it is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed (apt-get install redis-server)")
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    try:
        socket = folder / "s"
        command = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        server = RedisServer(f"unix://{socket}", process)

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(redis.ConnectionError), server.client() as client:
                return bool(client.ping())
            return False

        try:
            wait_until(answers)
            yield server
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
