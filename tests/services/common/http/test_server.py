"""A service as a process of its own: started by its module, drained by SIGTERM."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.services.policy.conftest import ModelServer, model_serving
from tests.support.servers import free_port
from tests.support.waiting import until, wait_until

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with model_serving() as server:
        yield server


@pytest.fixture
def policy(tmp_path: Path, model_server: ModelServer) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """A policy process, its address and its log."""
    version = tmp_path / "shipped" / "policy-a"
    version.mkdir(parents=True)
    (version / "config.json").write_text("{}")
    template = {"name": "plain", "version": 1, "role": "guide", "user": "{question} {options}"}
    (version / "prompt.json").write_text(json.dumps(template))
    settings = {
        "PORT": str(free_port()),
        "REGISTRY": str(tmp_path / "registry"),
        "SHIPPED": str(tmp_path / "shipped"),
        "ENGINE": "openai",
        "UPSTREAM_URL": model_server.url,
        "VERSION": "policy-a",
        "SHUTDOWN_GRACE_S": "10",
    }
    environment = {**os.environ, **{f"TRUSTVQA_POLICY_{name}": value for name, value in settings.items()}}
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.policy"], cwd=ROOT, env=environment, stdout=stream, stderr=stream
        )
    yield process, f"http://127.0.0.1:{settings['PORT']}", log
    if process.poll() is None:
        process.kill()
    process.wait()


async def test_sigterm_lets_requests_in_flight_finish_and_takes_no_more(
    policy: tuple[subprocess.Popen[bytes], str, Path], model_server: ModelServer
) -> None:
    process, url, log = policy
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:

        async def is_ready() -> bool:
            try:
                return (await http.get("/health/ready")).status_code == 200
            except httpx.ConnectError:
                return False

        async with asyncio.timeout(60):
            while not await is_ready():
                assert process.poll() is None, log.read_text()
        model_server.gate.clear()
        asked = [asyncio.create_task(http.post("/v1/cgp", json={"question": f"Number {i}?"})) for i in range(3)]
        await until(lambda: len(model_server.bodies) == 3)
        process.send_signal(signal.SIGTERM)

        async def refuses() -> bool:
            try:
                async with httpx.AsyncClient(base_url=url) as other:
                    await other.get("/health/live")
            except (httpx.NetworkError, httpx.RemoteProtocolError):  # or hung up on, or reset, while it was connecting
                return True
            return False

        async with asyncio.timeout(10):
            while not await refuses():
                pass
        assert process.poll() is None
        assert not any(task.done() for task in asked)
        model_server.gate.set()
        replies = await asyncio.gather(*asked)
    assert [reply.status_code for reply in replies] == [200] * 3
    await until(lambda: process.poll() is not None)
    assert process.returncode == -signal.SIGTERM

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(line["service"] == "policy" and "timestamp" in line for line in lines)
    access = [line for line in lines if line["event"] == "request" and line["route"] == "/v1/cgp"]
    assert sorted(line["request_id"] for line in access) == sorted(reply.headers["X-Request-Id"] for reply in replies)
    assert {line["status"] for line in access} == {200}
    assert any(line["event"] == "policy closed" for line in lines)


_OF_NO_USE = """
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from services.common.http.app import create_app
from services.common.http.server import serve
from services.downstream.settings import DownstreamSettings

@asynccontextmanager
async def lifespan(app):
    yield
    print("closed in order")

async def ready():
    return {}

flag = Path(sys.argv[2])
settings = DownstreamSettings(port=int(sys.argv[1]), api_keys=None)
app = create_app(
    settings, title="x", lifespan=lifespan, readiness=ready, version_info=ready, is_alive=lambda: not flag.exists()
)
serve(app, settings)
"""


def test_a_process_that_is_of_no_use_any_more_ends_so_that_another_is_started(tmp_path: Path) -> None:
    port, flag = free_port(), tmp_path / "the engine has ended"
    command = [sys.executable, "-c", _OF_NO_USE, str(port), str(flag)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:

        def is_alive() -> bool:
            assert process.poll() is None
            try:
                return httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(is_alive)
        flag.touch()
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert "only a restart brings back" in said
    assert "closed in order" in said
