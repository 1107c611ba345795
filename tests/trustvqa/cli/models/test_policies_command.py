"""`trustvqa policies`: what it says where it cannot do what is asked. That it can is tried on a whole stack."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from typer.testing import CliRunner, Result

from tests.support.servers import running
from trustvqa.cli.main import app

POLICIES = [
    {"version": "p1", "active": True, "usable": True, "problem": None, "template": {"name": "guide", "version": 1}},
    {"version": "p2", "active": False, "usable": False, "problem": "prompt.json is missing", "template": None},
]


def policy_service(activated: list[str]) -> FastAPI:
    """Serve two versions, of which the second is not usable, to whoever has the key."""
    service = FastAPI()

    def refused(request: Request) -> JSONResponse | None:
        if request.headers.get("Authorization") == "Bearer right-key":
            return None
        return JSONResponse({"detail": "Send an API key.", "scope": "ask"}, 401)

    @service.get("/v1/policies")
    async def listed(request: Request) -> Any:
        return refused(request) or {"active": "p1", "policies": POLICIES}

    @service.post("/v1/policies/{version}/activate")
    async def activate(request: Request, version: str) -> Any:
        if version == "p2":
            return JSONResponse({"detail": "Version 'p2' cannot be used."}, 409)
        activated.append(version)
        return refused(request) or {"active": version, "previous": None}

    return service


def run(url: str, *arguments: str, key: str = "right-key") -> Result:
    return CliRunner().invoke(
        app, ["policies", "--policy", url, *arguments], env={"TRUSTVQA_API_KEY": key, "COLUMNS": "200"}
    )


def test_versions_are_listed_and_made_live() -> None:
    activated: list[str] = []
    with running(policy_service(activated)) as url:
        shown = run(url)
        done = run(url, "--activate", "p1")
    assert shown.exit_code == 0
    assert [line.split() for line in shown.stdout.splitlines()[1:]] == [
        ["p1", "live", "guide@1"],
        ["p2", "unusable:", "prompt.json", "is", "missing"],
    ]
    assert (done.exit_code, done.stdout) == (0, "p1 is live; before it was none\n")
    assert activated == ["p1"]


def test_what_cannot_be_is_said() -> None:
    activated: list[str] = []
    with running(policy_service(activated)) as url:
        unknown = run(url, "--activate", "../p1")
        unusable = run(url, "--activate", "p2")
        keyless = run(url, key="")
    away = run("http://127.0.0.1:9")
    assert [each.exit_code for each in (unknown, unusable, keyless, away)] == [1, 1, 1, 1]
    assert "there is no version ../p1; there are p1, p2" in unknown.stderr
    assert "cannot be used" in unusable.stderr
    assert "the scope ask" in keyless.stderr
    assert "TRUSTVQA_API_KEY" in keyless.stderr
    assert "cannot be reached" in away.stderr
    assert activated == []
