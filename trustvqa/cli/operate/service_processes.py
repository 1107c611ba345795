"""Child processes that belong together: started, watched, restarted, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from trustvqa.cli.errors import ServiceStartError
from trustvqa.cli.operate.parent_death_signal import ending_with
from trustvqa.cli.readiness import missing_of

_POLL_S = 0.2
_STOP_GRACE_S = 25.0
_RESTART_PAUSE_S = 1.0
_LOG_LINES = 15
_QUIET_S = 10.0
"""Seconds of a start after which it is said what is waited for."""


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A service as a child process.

    Attributes:
        name: What the person at the terminal reads.
        command: Program and arguments.
        url: Where it will answer.
        environment: All of its environment.
        log: File that takes its output.
    """

    name: str
    command: Sequence[str]
    url: str
    environment: Mapping[str, str]
    log: Path


def taken_ports(host: str, ports: Mapping[str, int]) -> dict[str, int]:
    """Find which ports something else listens on.

    Args:
        host: Address to try.
        ports: Name -> port.

    Returns:
        Those that cannot be bound, in the order given.
    """
    taken = {}
    for name, port in ports.items():
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            # As uvicorn binds: a port that only lingers in TIME_WAIT from the last run is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                taken[name] = port
    return taken


class ServiceSupervisor:
    """Runs several services as one.

    Args:
        services: What to run; all are started at once.
        report: Takes lines for the person at the terminal.
    """

    def __init__(self, services: list[ServiceProcess], report: Callable[[str], object]) -> None:
        self._services = services
        self._report = report
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._logged_before: dict[str, int] = {}
        self._missing: dict[str, str] = {}
        self._stopping = asyncio.Event()

    async def run(self, *, timeout_s: float, on_ready: Callable[[], object]) -> None:
        """Start all services, wait until they are ready, keep them running until SIGINT or SIGTERM.

        Args:
            timeout_s: Seconds until all must be ready.
            on_ready: Called once they are.

        Raises:
            ServiceStartError: If one exits or is not ready in time; the others are stopped first.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        stop = asyncio.create_task(self._stopping.wait())
        try:
            start = asyncio.create_task(self._start_all(timeout_s))
            await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not start.done():
                start.cancel()
                return
            start.result()
            on_ready()
            keepers = [asyncio.create_task(self._keep(service)) for service in self._services]
            await stop
            for keeper in keepers:
                keeper.cancel()
        finally:
            stop.cancel()
            await self._stop_all()

    async def _start_all(self, timeout_s: float) -> None:
        for service in self._services:
            await self._spawn(service)
        try:
            async with asyncio.timeout(timeout_s), httpx.AsyncClient(timeout=2.0) as http:
                await asyncio.gather(*(self._until_ready(service, http) for service in self._services))
        except TimeoutError:
            missing = "".join(f"\n  {name}: {said}" for name, said in self._missing.items())
            raise ServiceStartError(
                f"not all services were ready within {timeout_s:g} s; their logs are in {self._services[0].log.parent}"
                f"{missing}"
            ) from None

    async def _spawn(self, service: ServiceProcess) -> None:
        service.log.parent.mkdir(parents=True, exist_ok=True)
        with service.log.open("ab") as log:
            self._logged_before[service.name] = log.tell()
            # A session of its own: Ctrl-C reaches this process only, which then stops the children in order. Where it
            # is killed and can stop nothing, they end all the same.
            self._children[service.name] = await asyncio.create_subprocess_exec(
                *ending_with(os.getpid(), service.command),
                env=dict(service.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._report(f"starting {service.name}")

    async def _until_ready(self, service: ServiceProcess, http: httpx.AsyncClient) -> None:
        clock = asyncio.get_running_loop().time
        began, told = clock(), ""
        while True:
            if (status := self._children[service.name].returncode) is not None:
                said = _tail(service.log, self._logged_before[service.name])
                raise ServiceStartError(f"{service.name} ended with status {status}:\n{said}")
            try:
                reply = await http.get(f"{service.url}/health/ready")
            except httpx.HTTPError:
                missing = "it does not answer yet"
            else:
                if reply.status_code == httpx.codes.OK:
                    self._missing.pop(service.name, None)
                    return
                missing = _in_one_line(reply)
            self._missing[service.name] = missing
            if missing != told and clock() - began > _QUIET_S:
                told = missing
                self._report(f"{service.name} is not ready: {missing}")
            await asyncio.sleep(_POLL_S)

    async def _keep(self, service: ServiceProcess) -> None:
        while True:
            status = await self._children[service.name].wait()
            if self._stopping.is_set():
                return
            self._report(f"{service.name} ended with status {status}; starting it again (see {service.log})")
            await asyncio.sleep(_RESTART_PAUSE_S)
            await self._spawn(service)

    async def _stop_all(self) -> None:
        running = [child for child in self._children.values() if child.returncode is None]
        if running:
            self._report("stopping")
        for child in running:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        try:
            async with asyncio.timeout(_STOP_GRACE_S):
                await asyncio.gather(*(child.wait() for child in running))
        except TimeoutError:
            for child in running:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
            await asyncio.gather(*(child.wait() for child in running))


def _in_one_line(reply: httpx.Response) -> str:
    try:
        missing = missing_of(reply)
    except ValueError:
        missing = []
    return "; ".join(map(str, missing)) or f"status {reply.status_code}"


def _tail(path: Path, start: int) -> str:
    """Read the last lines of a log behind a place in it: what stands before is of an earlier start."""
    with path.open("rb") as log:
        log.seek(start)
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])
