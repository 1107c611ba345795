"""The end of a service: who chooses among replicas hears of it, and everybody who was let in gets a reply."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.servers import free_port
from tests.support.waiting import until, wait_until

ROOT = Path(__file__).resolve().parents[4]

_SLOW = """
import asyncio, sys
from contextlib import asynccontextmanager
from services.common.http.app import create_app
from services.common.http.server import serve
from services.downstream.settings import DownstreamSettings

@asynccontextmanager
async def lifespan(app):
    yield

async def ready():
    return {}

settings = DownstreamSettings(port=int(sys.argv[1]), api_keys=None)
app = create_app(settings, title="x", lifespan=lifespan, readiness=ready, version_info=ready)
in_flight = asyncio.Event()

@app.get("/slow")
async def slow():
    in_flight.set()
    await asyncio.sleep(3600)

@app.get("/begun")
async def begun():
    await in_flight.wait()

serve(app, settings)
"""


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A service with these settings, whose /slow never replies, and its address."""
    port = free_port()
    told = {f"TRUSTVQA_DOWNSTREAM_{name}": value for name, value in request.param.items()}
    process = subprocess.Popen([sys.executable, "-c", _SLOW, str(port)], cwd=ROOT, env={**os.environ, **told})
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"{url}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers)
        yield process, url
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("service", [{"SHUTDOWN_DELAY_S": "3600", "SHUTDOWN_GRACE_S": "1"}], indirect=True)
async def test_a_service_that_will_end_says_so_while_it_still_answers(
    service: tuple[subprocess.Popen[bytes], str],
) -> None:
    process, url = service
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        assert "connection" not in (await http.get("/health/live")).headers
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            while (reply := await http.get("/health/ready")).status_code == 200:
                pass
        assert reply.status_code == 503
        assert reply.json()["dependencies"]["service"]["detail"] == "it is ending"
        for _ in range(3):
            live = await http.get("/health/live")
            # Nobody keeps a connection that nobody will read from in a moment.
            assert (live.status_code, live.headers["connection"]) == (200, "close")
    process.send_signal(signal.SIGTERM)  # a second one cuts the delay short
    await until(lambda: process.poll() is not None)
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("service", [{"SHUTDOWN_GRACE_S": "0.5"}], indirect=True)
async def test_who_waits_when_no_more_time_is_left_gets_a_problem_document(
    service: tuple[subprocess.Popen[bytes], str],
) -> None:
    process, url = service
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        asked = asyncio.create_task(http.get("/slow"))
        await http.get("/begun")
        process.send_signal(signal.SIGTERM)
        reply = await asked
    assert (reply.status_code, reply.headers["retry-after"], reply.headers["connection"]) == (503, "1", "close")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["type"] == "urn:trustvqa:problem:service-ending"
    await until(lambda: process.poll() is not None)
