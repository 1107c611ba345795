"""A stack of containers under test, driven by the docker command as a person drives it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "services/gateway/static/samples/ultrasound.png"
SECRET = "correct horse battery staple"
OPTIONS = ["Round", "Oval", "Spiculated", "Ring-shaped"]


START_S = 120
"""Longest time from `docker compose up --wait` to health, once the images are there."""


def checkout(folder: Path) -> Path:
    """Copy what git knows of the project: what a clean clone holds, and nothing that lies about.

    Args:
        folder: Where to; it is made.

    Returns:
        The folder. Changes that are not committed yet come along; without git it is the project itself.
    """
    if not (ROOT / ".git").exists():
        return ROOT
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # not one that was deleted just now
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@dataclass(frozen=True)
class Stack:
    """One project of docker compose.

    Attributes:
        project: Its name, so that stacks on one engine do not meet.
        port: The gateway's published port.
        environment: Variables of the compose file.
        place: The checkout whose compose file it is.
        key: The first key that the stack made, which may do everything; empty until it has.
    """

    project: str
    port: int
    environment: Mapping[str, str] = field(repr=False)
    place: Path = ROOT
    key: str = field(default="", repr=False)

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> list[str]:
        return ["docker", "compose", "--project-name", self.project, "--env-file", os.devnull, *arguments]

    def compose(self, *arguments: str, timeout: float = 220) -> str:
        """Run a command of docker compose.

        Raises:
            AssertionError: If it fails, with what it said.
        """
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.place,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self) -> float:
        """Start it, and wait until all services are healthy, which takes no longer than START_S.

        Returns:
            Seconds that it took.
        """
        began = time.monotonic()
        try:
            self.compose("up", "--wait", "--wait-timeout", str(START_S), "--no-build", "--pull", "never")
        except AssertionError as error:
            logs = self.compose("logs", "--no-color", "--tail", "30")
            raise AssertionError(f"{error}\n{self.compose('ps', '--all')}\n{logs}") from None
        return time.monotonic() - began

    def python(self, service: str, program: str) -> Any:
        """Run a program in a service's container; what it prints is JSON."""
        return json.loads(self.compose("exec", "-T", service, "python", "-c", program))

    def inspect(self, service: str) -> dict[str, Any]:
        """The engine's description of a service's container."""
        container = self.compose("ps", "--all", "--quiet", service).strip()
        done = subprocess.run(["docker", "inspect", container], capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)[0]
        return found

    def is_internal(self, network: str) -> bool:
        """Whether the engine keeps what is in a network from everything beyond it."""
        done = subprocess.run(["docker", "network", "inspect", network], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)[0]["Internal"] is True

    def client(self) -> httpx.Client:
        """A client of the gateway, as people have it."""
        return httpx.Client(base_url=self.gateway, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """Headers that show the key."""
        return {"Authorization": f"Bearer {self.key}"}

    def first_key(self) -> str:
        """Read the first key by the command that the stack's log tells."""
        said = self.compose("logs", "--no-color", "--no-log-prefix", "keys")
        command = re.search(r"docker compose (run .*show)$", said, re.MULTILINE)
        assert command, said
        text = self.compose(*command[1].split()).strip()
        assert text not in said
        return text

    def ask(self) -> httpx.Response:
        """Ask the question that the README asks."""
        return httpx.post(
            f"{self.gateway}/vqa",
            data={"question": "What shape are the findings?", "options": OPTIONS},
            files={"image": SAMPLE.read_bytes()},
            headers=self.headers,
            timeout=60,
        )

    def administer(self, path: str, **body: Any) -> httpx.Response:
        """Send what an administrator may send: a GET, or a POST where there is a body."""
        if body:
            return httpx.post(f"{self.gateway}{path}", headers=self.headers, json=body, timeout=10)
        return httpx.get(f"{self.gateway}{path}", headers=self.headers, timeout=10)
