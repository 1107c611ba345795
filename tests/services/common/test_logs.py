"""The lines of a real service: one JSON object each, whoever wrote them, with the request's id where there is one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.servers import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]

# A service like the four, which does wrong in every way that libraries and mistakes of ours do.
SERVICE = """
import asyncio, gc, logging, sys, threading, warnings
from contextlib import asynccontextmanager

from services.common.auth.key import Right
from services.common.auth.access import requires
from services.common.http.app import create_app
from services.common.logs import configure_logging
from services.common.http.server import serve
from services.common.settings import ServiceSettings

# As transformers and huggingface_hub do: a handler of its own, and nothing passed on.
library = logging.getLogger("library")
library.addHandler(logging.StreamHandler(sys.stderr))
library.propagate = False


class Settings(ServiceSettings, service="policy"):
    pass


class Dies:
    def __del__(self):
        raise RuntimeError("as it was taken away")


async def dies():
    raise RuntimeError("in a task")


def shout():
    raise RuntimeError("in a thread")


def warn_in_thread():
    warnings.warn("from a worker thread")


@asynccontextmanager
async def lifespan(app):
    logging.getLogger("late").addHandler(logging.StreamHandler(sys.stderr))
    logging.getLogger("late").propagate = False
    yield


async def ready():
    return {}


async def versions():
    return {}


settings = Settings()
configure_logging(settings.service, level=settings.log_level, form=settings.log_format)
logging.getLogger("before").warning("before it serves")
app = create_app(settings, title="t", lifespan=lifespan, readiness=ready, version_info=versions)


@app.get("/wrong", dependencies=[requires(Right.ASK)])
async def wrong() -> str:
    warnings.warn("two\\nlines")
    logging.getLogger("PIL.TiffImagePlugin").warning("of %s", "a library")
    library.warning("of its own handler")
    logging.getLogger("late").error("of a handler made late")
    await asyncio.to_thread(warn_in_thread)
    task = asyncio.create_task(dies())
    await asyncio.wait([task])
    del task
    gc.collect()
    thread = threading.Thread(target=shout, name="shouter")
    thread.start()
    thread.join()
    Dies()
    raise RuntimeError("in a route")


@app.get("/end", dependencies=[requires(Right.ASK)])
async def end() -> str:
    app.state.is_alive = lambda: 1 / 0
    return "soon"


serve(app, settings)
"""


@dataclass(frozen=True)
class Logged:
    """A service that runs, and what it has written."""

    url: str
    process: subprocess.Popen[bytes]
    output: Path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def with_text(self, text: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if text in json.dumps(line)]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Logged]:
    script, output, port = tmp_path / "service.py", tmp_path / "output", free_port()
    script.write_text(SERVICE)
    empty = tmp_path / "empty.yaml"
    empty.write_text("policy: {}")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TRUSTVQA_POLICY_PORT": str(port),
        "TRUSTVQA_CONFIG": str(empty),
        "PYTHONWARNINGS": "default",
    }
    with output.open("wb") as stream:
        process = subprocess.Popen([sys.executable, script], cwd=ROOT, env=environment, stdout=stream, stderr=stream)
    try:
        wait_until(lambda: "Uvicorn running" in output.read_text() or process.poll() is not None, 60)
        assert process.poll() is None, output.read_text()
        yield Logged(f"http://127.0.0.1:{port}", process, output)
    finally:
        process.kill()
        process.wait()


def test_all_that_goes_wrong_within_a_request_is_a_line_of_json_with_its_id(service: Logged) -> None:
    with httpx.Client(base_url=service.url, headers={"X-Request-Id": "case-17"}, timeout=30) as http:
        assert http.get("/wrong").status_code == 500
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(30)
    texts = {
        "two\\\\nlines": "warning",
        "of a library": "warning",
        "of its own handler": "warning",
        "of a handler made late": "error",
        "from a worker thread": "warning",
        "RuntimeError: in a task": "error",
        "RuntimeError: as it was taken away": "error",
        "RuntimeError: in a route": "error",
    }
    for text, level in texts.items():
        found = service.with_text(text)
        assert [(line["service"], line["request_id"]) for line in found] == [("policy", "case-17")] * len(found), text
        assert [line["level"] for line in found] == [level] * len(found), text
        assert found, text
    # A thread of one's own belongs to no request.
    (thread,) = service.with_text("RuntimeError: in a thread")
    assert (thread["level"], thread["thread"], "Traceback" in thread["exception"]) == ("error", "shouter", True)
    assert [line for line in service.lines() if line["event"] == "before it serves"]
    assert not any("request_id" in line for line in service.lines() if line["event"].startswith("Finished server"))


def test_what_ends_the_process_is_a_line_of_json_too(service: Logged) -> None:
    assert httpx.get(f"{service.url}/end").status_code == 200
    assert service.process.wait(30) == 1
    (last,) = [line for line in service.lines() if line["level"] == "critical"]
    assert (last["event"], "ZeroDivisionError" in last["exception"]) == ("the process ends by an exception", True)
