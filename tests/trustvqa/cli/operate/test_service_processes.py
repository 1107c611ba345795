"""The supervisor with real child processes: a small server that can be told to be slow to get ready, or to die."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.servers import free_port
from tests.support.waiting import until, wait_until
from trustvqa.cli.errors import ServiceStartError
from trustvqa.cli.operate import service_processes
from trustvqa.cli.operate.parent_death_signal import ending_with
from trustvqa.cli.operate.service_processes import ServiceProcess, ServiceSupervisor, taken_ports

ROOT = Path(__file__).resolve().parents[4]

SERVER = """
import http.server, os, pathlib, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = not os.environ.get("READY_FILE") or pathlib.Path(os.environ["READY_FILE"]).exists()
        self.send_response(200 if ready else 503)
        self.end_headers()
        why = '"required": true, "detail": "the model cannot be loaded"'
        said = '{"dependencies": {"model": {"ok": false, %s}, "x": {"ok": true}}}' % why
        self.wfile.write((str(os.getpid()) if ready else said).encode())
    def log_message(self, *args):
        pass

if "fail" in sys.argv:
    print("the model file is missing", flush=True)
    sys.exit(3)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
def stop(*_):
    print("terminated", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
server.serve_forever()
"""


def child(tmp_path: Path, name: str, *arguments: str, **environment: str) -> ServiceProcess:
    port = free_port()
    return ServiceProcess(
        name,
        command=(sys.executable, "-c", SERVER, str(port), *arguments),
        url=f"http://127.0.0.1:{port}",
        environment={**os.environ, **environment},
        log=tmp_path / "logs" / f"{name}.log",
    )


def pid_of(service: ServiceProcess) -> int:
    return int(httpx.get(service.url).text)


def answers(service: ServiceProcess) -> bool:
    try:
        return httpx.get(service.url).status_code == 200
    except httpx.HTTPError:
        return False


async def test_ready_is_announced_only_when_all_are_and_a_signal_stops_all(tmp_path: Path) -> None:
    gate = tmp_path / "ready"
    fast, slow = child(tmp_path, "fast"), child(tmp_path, "slow", READY_FILE=str(gate))
    announced = asyncio.Event()
    run = asyncio.create_task(
        ServiceSupervisor([fast, slow], lambda _line: None).run(timeout_s=20, on_ready=announced.set)
    )
    await until(lambda: answers(fast))
    assert not announced.is_set()
    gate.touch()
    await asyncio.wait_for(announced.wait(), 20)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(run, 20)
    assert not answers(fast)
    assert not answers(slow)
    assert fast.log.read_text() == "terminated\n"  # it was asked to stop, not killed


async def test_a_service_that_dies_is_started_again(tmp_path: Path) -> None:
    service = child(tmp_path, "frail")
    lines: list[str] = []
    ready = asyncio.Event()
    run = asyncio.create_task(ServiceSupervisor([service], lines.append).run(timeout_s=20, on_ready=ready.set))
    await asyncio.wait_for(ready.wait(), 20)
    first = pid_of(service)
    os.kill(first, signal.SIGKILL)
    await until(lambda: answers(service) and pid_of(service) != first)
    assert any("frail ended with status -9; starting it again" in line for line in lines)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(run, 20)
    assert not answers(service)


async def test_a_service_that_cannot_start_shows_its_log_and_stops_the_others(tmp_path: Path) -> None:
    good, bad = child(tmp_path, "good"), child(tmp_path, "bad", "fail")
    with pytest.raises(ServiceStartError, match=r"(?s)bad ended with status 3.*the model file is missing"):
        await ServiceSupervisor([good, bad], lambda _line: None).run(timeout_s=20, on_ready=lambda: None)
    assert not answers(good)
    # Of a log that holds earlier starts, this one's lines alone.
    bad.log.write_text("what the start before died of\n")
    with pytest.raises(ServiceStartError) as raised:
        await ServiceSupervisor([bad], lambda _line: None).run(timeout_s=20, on_ready=lambda: None)
    assert "the start before" not in str(raised.value)
    assert bad.log.read_text().startswith("what the start before died of\n")


async def test_a_service_that_never_gets_ready_is_an_error_within_the_time_given(tmp_path: Path) -> None:
    never = child(tmp_path, "never", READY_FILE=str(tmp_path / "absent"))
    with pytest.raises(ServiceStartError, match=r"not all services were ready within 1 s"):
        await ServiceSupervisor([never], lambda _line: None).run(timeout_s=1, on_ready=lambda: None)
    assert not answers(never)


async def test_what_a_start_waits_for_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_processes, "_QUIET_S", 0.0)
    never, gone = child(tmp_path, "never", READY_FILE=str(tmp_path / "absent")), child(tmp_path, "gone")
    lines: list[str] = []
    with pytest.raises(ServiceStartError, match=r"\n  never: model: the model cannot be loaded$"):
        await ServiceSupervisor([never, gone], lines.append).run(timeout_s=5, on_ready=lambda: None)
    assert lines.count("never is not ready: model: the model cannot be loaded") == 1


def test_taken_ports_are_found() -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert taken_ports("127.0.0.1", {"a": taken, "b": free_port()}) == {"a": taken}


# --- Where the supervisor itself is killed ----------------------------------------------------------------------------


def gone(process: psutil.Process) -> bool:
    # Nobody may be there to reap what has lost its parent.
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


SUPERVISOR = """
import asyncio, os, pathlib, sys
from trustvqa.cli.operate.service_processes import ServiceProcess, ServiceSupervisor

_, server, logs, *ports = sys.argv
services = [
    ServiceProcess(
        f"service-{port}",
        (sys.executable, "-c", server, port),
        f"http://127.0.0.1:{port}",
        {**os.environ, "READY_FILE": str(pathlib.Path(logs, "absent"))},
        pathlib.Path(logs, f"{port}.log"),
    )
    for port in ports
]
asyncio.run(ServiceSupervisor(services, lambda _line: None).run(timeout_s=600, on_ready=lambda: None))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_services_end_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    # They are waited for still, as services are that load their models. Small servers, and no real ones: how long those
    # take to start and to end is the machine's matter, and what ends them is the same.
    ports = [str(free_port()), str(free_port())]
    command = [sys.executable, "-c", SUPERVISOR, SERVER, str(tmp_path), *ports]
    with subprocess.Popen(command, cwd=ROOT) as supervisor:
        services: list[psutil.Process] = []
        try:
            wait_until(lambda: supervisor.poll() is not None or all(_listens(port) for port in ports), 100)
            services = psutil.Process(supervisor.pid).children()
            assert len(services) == len(ports)
            supervisor.kill()
            supervisor.wait(10)
            wait_until(lambda: all(gone(service) for service in services))
        finally:
            supervisor.kill()
            for service in services:
                if not gone(service):
                    service.kill()
    for port in ports:  # they were asked to stop, not killed
        assert (tmp_path / f"{port}.log").read_text() == "terminated\n"


def _listens(port: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}").status_code == 503  # it begins, and is not ready
    except httpx.HTTPError:
        return False


async def test_a_service_whose_supervisor_was_gone_before_it_began_does_not_begin(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    program = (sys.executable, "-c", f"open({str(begun)!r}, 'w')")
    for parent, status in ((os.getpid(), 0), (1 if os.getppid() != 1 else 2, 1)):
        begun.unlink(missing_ok=True)
        child = await asyncio.create_subprocess_exec(*ending_with(parent, program))
        assert await child.wait() == (status if sys.platform == "linux" else 0)
        assert begun.exists() == (child.returncode == 0)


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    port = free_port()
    absent = ServiceProcess("absent", ("no-such-program",), f"http://127.0.0.1:{port}", {}, tmp_path / "absent.log")
    with pytest.raises((ServiceStartError, FileNotFoundError), match="no-such-program"):
        await ServiceSupervisor([absent], lambda _line: None).run(timeout_s=20, on_ready=lambda: None)
