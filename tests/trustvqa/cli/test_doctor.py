"""`trustvqa doctor` before services that say over HTTP what a test wants; tests/system has it before those that run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from tests.support.servers import free_port, running
from trustvqa.cli.main import app

EXAMPLES = Path(__file__).resolve().parents[3] / "services" / "gateway" / "examples"
SERVICES = ("gateway", "policy", "downstream", "trainer")
PAIR = "cgp+logprob | downstream-mini-1 | policy-1 | answer-compact@1 | greedy, 256 tokens | pictures 2, up to 1024 px"


def document(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text())


def well() -> dict[str, Any]:
    """Documents of four services of which nothing is wrong, by path."""
    said: dict[str, Any] = {}
    for name in SERVICES:
        said[f"/{name}/health/ready"] = {"dependencies": {"model": {"ok": True, "required": True, "detail": ""}}}
        said[f"/{name}/version"] = {"service": name, "software": "0.1.0"}
    said["/gateway/version"]["live_calibrators"] = {PAIR: "platt-1"}
    said["/policy/version"]["policy"] = {"active": "policy-1"}
    said["/gateway/v1/about"] = document("About.json")
    said["/gateway/calibration.json"] = document("CalibrationReport.json")
    return said


class Stack:
    """Four services on one server."""

    url: str
    said: dict[str, Any]
    headers: dict[str, str]
    keys: dict[str, str | None]
    """Path that was asked for -> the key that was shown there."""

    async def reply(self, request: Request) -> Response:
        """Reply with what the path is to say: JSON, a status with JSON, or a text."""
        self.keys[request.url.path] = request.headers.get("authorization")
        said = self.said[request.url.path]
        if isinstance(said, str):
            return PlainTextResponse(said)
        status, body = said if isinstance(said, tuple) else (200, said)
        return JSONResponse(body, status, self.headers)


@pytest.fixture(scope="module")
def server() -> Iterator[Stack]:
    stack = Stack()
    served = Starlette(routes=[Route("/{path:path}", stack.reply)])
    with running(served, uvicorn.Config(served, date_header=False)) as url:
        stack.url = url
        yield stack


@pytest.fixture
def stack(server: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stack:
    server.said, server.headers, server.keys = well(), {}, {}
    monkeypatch.chdir(tmp_path)
    for name in ("TRUSTVQA_CONFIG", "TRUSTVQA_SECRETS", "TRUSTVQA_API_KEY", "TRUSTVQA_API_KEY_FILE", "TRUSTVQA_URL"):
        monkeypatch.delenv(name, raising=False)
    return server


def examined(stack: Stack, **others: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Run it; return its status, and what it found that is not as it should be: of what -> state and words."""
    named = {name: f"{stack.url}/{name}" for name in SERVICES} | others
    arguments = [word for name, url in named.items() for word in (f"--{name}", url)]
    done = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    found = json.loads(done.stdout)
    wrong = {each["of"]: (each["state"], each["said"]) for each in found if each["state"] != "ok"}
    return done.exit_code, {name: what for name, what in wrong.items() if not name.startswith("disk")}


def test_of_a_stack_that_is_well_nothing_is_said(stack: Stack) -> None:
    assert examined(stack) == (0, {})


def away(*, required: bool) -> dict[str, Any]:
    return {"dependencies": {"x": {"ok": False, "required": required, "detail": "gone" if required else ""}}}


def version(service: str, software: str = "0.1.0", **more: Any) -> dict[str, Any]:
    return {"service": service, "software": software, **more}


def report(status: str, problem: str | None = None) -> dict[str, Any]:
    return {"status": status, "problem": problem, "reviewed": 9}


KEY_REQUIRED = (401, {"type": "urn:trustvqa:problem:key-required", "detail": "Show a key."})


@pytest.mark.parametrize(
    ("path", "change", "status", "of", "said"),
    [
        ("/gateway/health/ready", away(required=True), 1, "gateway", "x: gone"),
        ("/gateway/health/ready", away(required=False), 0, "gateway", "x: away"),
        ("/policy/version", version("trainer"), 1, "policy", "is another program"),
        ("/trainer/health/ready", "<html>", 1, "trainer", "is another program"),
        ("/downstream/health/ready", (404, {"detail": "Not Found"}), 0, "downstream", "is another server"),
        ("/trainer/version", version("trainer", "0.0.9"), 0, "versions", "trainer 0.0.9"),
        ("/policy/version", version("policy", policy={"active": "p-2"}), 1, "calibrator", "with p-2 has none"),
        ("/gateway/version", version("gateway", live_calibrators={}), 1, "calibrator", "left to people"),
        ("/gateway/v1/about", KEY_REQUIRED, 1, "API key", "TRUSTVQA_API_KEY"),
        ("/gateway/calibration.json", report("alarm"), 1, "calibration", "an alarm stands"),
        ("/gateway/calibration.json", report("watching", "old"), 0, "calibration", "old"),
        ("/gateway/calibration.json", report("off"), 0, "calibration", "no records"),
        ("/gateway/calibration.json", [], 1, "gateway", "could not be looked at"),
    ],
)
def test_what_is_wrong_is_told(stack: Stack, path: str, change: Any, status: int, of: str, said: str) -> None:
    stack.said[path] = deepcopy(change)
    ended, found = examined(stack)
    assert (ended, list(found)) == (status, [of])
    state, words = found[of]
    assert state == ("fault" if status else "look")
    assert said in words


def test_what_is_away_is_told(stack: Stack) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    status, found = examined(stack, gateway=nowhere, trainer=nowhere)
    assert status == 1
    assert {name: state for name, (state, _) in found.items()} == {"gateway": "fault", "trainer": "look"}
    assert nowhere in found["gateway"][1]


def test_a_clock_that_is_wrong_is_told(stack: Stack) -> None:
    stack.headers = {"date": formatdate(1.7e9, usegmt=True)}
    status, found = examined(stack)
    assert (status, {*found}) == (0, {*SERVICES})
    assert all("its clock is" in said for _, said in found.values())


def test_the_key_is_shown_to_the_gateway_alone(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's server may be a provider's."""
    key = "k" * 43
    monkeypatch.setenv("TRUSTVQA_API_KEY", key)
    assert examined(stack) == (0, {})
    shown = {path for path, told in stack.keys.items() if told is not None}
    assert shown == {"/gateway/v1/about", "/gateway/calibration.json"}
    assert len(stack.keys) == 2 * len(SERVICES) + len(shown)


def test_settings_that_cannot_be_used_are_told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_GATEWAY_MAX_RSIK", "0.1")
    monkeypatch.setenv("TRUSTVQA_API_KEY", "no key\n")
    status, found = examined(stack)
    assert status == 1
    assert "is TRUSTVQA_GATEWAY_MAX_RISK meant" in found["settings of gateway"][1]
    assert found["API key"][0] == "fault"


def test_a_full_disk_is_a_fault(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "var" / "registry").mkdir(parents=True)
    monkeypatch.setattr("trustvqa.cli.doctor._LITTLE_BYTES", 2**80)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "make room: answers would go out unrecorded" in " ".join(done.stdout.split())
