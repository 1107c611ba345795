"""The end of a gateway while a client watches its answer being made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MODEL, TEMPLATE
from tests.services.gateway.upstream import Upstream
from tests.services.gateway.web.answers.test_vqa_events import EVENTS, read
from tests.support.servers import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[5]


@pytest.fixture
def gateway(upstream_server: tuple[Upstream, str], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A gateway in a process of its own, and its address."""
    _, models = upstream_server
    told = {
        "PORT": str(free_port()), "POLICY_URL": models, "DOWNSTREAM_URL": f"{models}/v1", "DOWNSTREAM_MODEL": MODEL,
        "ANSWER_TEMPLATE": TEMPLATE, "METHODS": '["cgp"]', "RECORDS_URL": "", "REGISTRY": str(tmp_path / "registry"),
        "SHIPPED": str(tmp_path / "nothing"),
    }  # fmt: skip
    variables = {f"TRUSTVQA_GATEWAY_{name}": value for name, value in told.items()}
    command = [sys.executable, "-m", "services.gateway"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{told['PORT']}"

    def answers() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"{url}/health/live").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, 60)
        yield process, url
    finally:
        process.kill()
        process.wait()


def test_an_answer_that_is_watched_comes_to_its_end(
    gateway: tuple[subprocess.Popen[bytes], str], upstream: Upstream
) -> None:
    """As one that nobody watches: who was let in gets a reply."""
    process, url = gateway
    upstream.downstream = "held"
    with httpx.stream("POST", f"{url}/vqa", json=body(), headers=EVENTS, timeout=30) as reply:
        events = read(reply)
        assert [next(events)[0], next(events)[0]] == ["queued", "guidance"]
        assert upstream.arrived.acquire(timeout=20)
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: _is_closed(url))
        upstream.release.set()
        assert [name for name, _ in events] == ["deferral"]  # nothing is calibrated here
    assert process.wait(20) in (0, -signal.SIGTERM)


def _is_closed(url: str) -> bool:
    try:
        httpx.get(f"{url}/health/live")
    except httpx.TransportError:
        return True
    return False
