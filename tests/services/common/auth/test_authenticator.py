"""The authenticator over real HTTP: before a body is read, for every route, with keys and without."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI, Request
from structlog.testing import capture_logs

from services.common.auth import OPEN, Right, make_key, requires
from services.common.auth.key_file import change_keys
from services.common.http.app import create_app
from tests.support.keys import bearer, keys_at
from tests.support.servers import running
from tests.support.settings import DemoSettings
from tests.support.waiting import wait_until

TYPE = "urn:trustvqa:problem:"


def demo(*, processes: int = 1, **settings: Any) -> FastAPI:
    """A service with a route of each kind, one of which says nothing of who may ask."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    async def readiness() -> dict[str, Any]:
        return {}

    async def version_info() -> dict[str, Any]:
        return {}

    app = create_app(
        DemoSettings(**settings),
        title="Demo",
        lifespan=lifespan,
        readiness=readiness,
        version_info=version_info,
        max_body_bytes=50_000_000,
        processes=processes,
    )
    inner = APIRouter(prefix="/inner", dependencies=[requires(Right.FEEDBACK)])

    @app.post("/ask", dependencies=[requires(Right.ASK)])
    async def ask(request: Request) -> dict[str, int]:
        structlog.get_logger().info("asked")
        return {"bytes": len(await request.body())}

    @app.get("/open", dependencies=[OPEN])
    async def open_to_all() -> str:
        return "open"

    @app.get("/things/{name}", dependencies=[requires(Right.ADMIN)])
    async def thing(name: str) -> str:
        return name

    @app.get("/forgotten")
    async def forgotten() -> str:
        return "nobody said who may ask this"

    @inner.get("/feedback")
    async def feedback() -> str:
        return "feedback"

    @inner.get("/both", dependencies=[requires(Right.ASK)])
    async def both() -> str:
        return "both"

    app.include_router(inner)
    return app


@contextmanager
def serving(**settings: Any) -> Iterator[httpx.Client]:
    with running(demo(**settings)) as url, httpx.Client(base_url=url, timeout=20) as http:
        yield http


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    return path, keys_at(
        path, ask="ask", feedback="feedback", metrics="metrics", admin="admin", two=["ask", "feedback"]
    )


@pytest.fixture(scope="module")
def client(keys: tuple[Path, dict[str, str]]) -> Iterator[httpx.Client]:
    with serving(api_keys=keys[0], host="0.0.0.0") as http:  # noqa: S104 - the setting, not where the test listens
        yield http


def problem(reply: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = reply.json()
    assert found["type"] == TYPE + kind
    assert found["request_id"] == reply.headers["X-Request-Id"]
    return found


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/open", {"", "ask", "feedback", "metrics", "admin", "two"}),
        ("/health/live", {"", "ask", "feedback", "metrics", "admin", "two"}),
        ("/health/ready", {"", "ask", "feedback", "metrics", "admin", "two"}),
        ("/version", {"", "ask", "feedback", "metrics", "admin", "two"}),
        ("/metrics", {"metrics", "admin"}),
        ("/openapi.json", {"ask", "admin", "two"}),
        ("/things/x", {"admin"}),
        ("/forgotten", {"admin"}),
        ("/inner/feedback", {"feedback", "admin", "two"}),
        ("/inner/both", {"admin", "two"}),
    ],
)
def test_a_key_opens_what_its_scopes_say_and_no_key_what_is_open(
    client: httpx.Client, keys: tuple[Path, dict[str, str]], path: str, allowed: set[str]
) -> None:
    for name in ("", *keys[1]):
        reply = client.get(path, headers=bearer(keys[1][name]) if name else {})
        if name in allowed:
            assert reply.status_code == 200, (name, reply.text)
        else:
            problem(reply, 403 if name else 401, "key-lacks-scope" if name else "key-required")


def test_a_refusal_says_what_is_missing(client: httpx.Client, keys: tuple[Path, dict[str, str]]) -> None:
    reply = client.get("/things/x", headers=bearer(keys[1]["ask"]))
    found = problem(reply, 403, "key-lacks-scope")
    assert found["scope"] == "admin"
    assert "scope admin" in found["detail"]
    assert reply.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="admin"'
    reply = client.get("/things/x")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("", "key-required"),
        ("Bearer", "key-required"),
        ("Basic {key}", "key-required"),
        ("{key}", "key-required"),
        ("Bearer " + "x" * 5000, "key-required"),
        ("Bearer wrong", "key-refused"),
        ("Bearer {key}x", "key-refused"),
        ("Bearer tvqa_00000000_" + "a" * 43, "key-refused"),
    ],
)
def test_what_is_no_key_is_refused(
    client: httpx.Client, keys: tuple[Path, dict[str, str]], header: str, kind: str
) -> None:
    reply = client.post("/ask", headers={"Authorization": header.format(key=keys[1]["ask"])})
    problem(reply, 401, kind)
    assert reply.headers["WWW-Authenticate"] == ("Bearer" if kind == "key-required" else 'Bearer error="invalid_token"')
    good = {"Authorization": f"bEARER  {keys[1]['ask']}"}
    assert client.post("/ask", headers=good, content=b"xyz").json() == {"bytes": 3}


def test_what_is_not_there_is_not_told_to_strangers(client: httpx.Client, keys: tuple[Path, dict[str, str]]) -> None:
    for method, path, status in (("GET", "/nowhere", 404), ("GET", "/ask", 405), ("GET", "/ask/", 404)):
        problem(client.request(method, path), 401, "key-required")
        found = client.request(method, path, headers=bearer(keys[1]["metrics"]), follow_redirects=True)
        assert found.status_code == status
    assert client.head("/things/x").status_code == 401


def test_a_refusal_costs_no_body(client: httpx.Client, keys: tuple[Path, dict[str, str]]) -> None:
    address = ("127.0.0.1", client.base_url.port or 0)
    head = "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n"
    for header, status in (("", b"401"), (f"Authorization: Bearer {keys[1]['metrics']}\r\n", b"403")):
        with socket.create_connection(address, timeout=20) as line:
            line.sendall(f"{head}{header}\r\n".encode())
            reply = b""
            while part := line.recv(65536):  # until the service hangs up, which has been sent no byte of the body
                reply += part
        assert reply.startswith(b"HTTP/1.1 " + status)
        assert b"connection: close" in reply.lower()
    # Who waits to be told to go on is never told so.
    with socket.create_connection(address, timeout=20) as line:
        line.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert line.recv(65536).startswith(b"HTTP/1.1 401")
    # A small one does not end a connection that others share.
    assert "connection" not in client.post("/ask", content=b"x" * 1000).headers


def test_refusals_are_logged_with_the_public_part_of_the_key_and_counted(
    client: httpx.Client, keys: tuple[Path, dict[str, str]]
) -> None:
    def counted(reason: str) -> float:
        lines = client.get("/metrics", headers=bearer(keys[1]["metrics"])).text.splitlines()
        name = f'api_key_refusals_total{{reason="{reason}"}} '
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = {reason: counted(reason) for reason in ("missing", "unknown", "scope")}
    text = keys[1]["feedback"]
    with capture_logs() as logs:
        client.post("/ask")
        client.post("/ask", headers=bearer("tvqa_00000000_" + "s" * 43))
        client.post("/ask", headers=bearer(text))
    refused = [line for line in logs if line["event"] == "refused"]
    shown = [(line["reason"], line["route"], line["key"]) for line in refused]
    assert shown == [("missing", "/ask", None), ("unknown", "/ask", "00000000"), ("scope", "/ask", text.split("_")[1])]
    assert text.split("_", 2)[2] not in json.dumps(logs, default=str)
    assert {reason: counted(reason) - number for reason, number in before.items()} == dict.fromkeys(before, 1)
    # The request's own line and figures are of the route, too.
    assert [line["route"] for line in logs if line["event"] == "request"] == ["/ask"] * 3


def test_lines_of_a_request_carry_the_id_of_its_key(
    client: httpx.Client, keys: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, structlog.processors.JSONRenderer()])
    try:
        client.post("/ask", headers=bearer(keys[1]["ask"]))
        client.get("/open", headers=bearer(keys[1]["ask"]))
    finally:
        structlog.reset_defaults()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [(line["event"], line.get("key")) for line in lines if line["event"] in ("asked", "request")]
    key = keys[1]["ask"].split("_")[1]
    assert told == [("asked", key), ("request", key), ("request", None)]


def test_keys_are_exchanged_and_revoked_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    now = datetime.now(UTC)
    old, first = make_key("old", [Right.ASK], created=now)
    new, second = make_key("new", [Right.ASK, Right.METRICS], created=now)
    late, third = make_key("late", [Right.METRICS], created=now, expires=now - timedelta(days=1))
    change_keys(path, lambda _: (first, third))
    with serving(api_keys=path) as http:
        assert http.post("/ask", headers=bearer(old)).status_code == 200
        assert (
            problem(http.get("/metrics", headers=bearer(late)), 401, "key-refused")["detail"] == "This key has expired."
        )
        change_keys(path, lambda keys: (*keys, second))
        wait_until(lambda: http.post("/ask", headers=bearer(new)).status_code == 200)
        assert http.post("/ask", headers=bearer(old)).status_code == 200
        change_keys(path, lambda _: (second,))
        wait_until(lambda: http.post("/ask", headers=bearer(old)).status_code in (401, 429))  # asked very often
        path.write_text("{")
        wait_until(lambda: "api_keys_file_ok 0.0" in http.get("/metrics", headers=bearer(new)).text)
        admin, fourth = make_key("admin", [Right.ADMIN], created=now)
        assert http.post("/ask", headers=bearer(new)).status_code == 200
        assert http.post("/ask").status_code == 401
        path.unlink()
        change_keys(path, lambda _: (fourth,))
        wait_until(lambda: http.get("/metrics", headers=bearer(admin)).status_code == 200)
        assert "api_keys_file_ok 1.0" in http.get("/metrics", headers=bearer(admin)).text
        assert "api_keys 1.0" in http.get("/metrics", headers=bearer(admin)).text


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - the setting, not where the test listens
def test_without_keys_everything_but_administration_is_open(host: str) -> None:
    with serving(host=host) as http:
        for path in ("/open", "/metrics", "/inner/both", "/openapi.json"):
            assert http.get(path).status_code == 200
        assert http.post("/ask", content=b"x").status_code == 200
        problem(http.post("/ask", content=b"x", headers={"Origin": "https://example.org"}), 403, "foreign-origin")
        assert http.get("/nowhere").status_code == 404
        for path in ("/things/x", "/forgotten"):
            if host == "127.0.0.1":
                assert http.get(path).status_code == 200
                assert http.get(path, headers={"Host": "localhost"}).status_code == 200
                assert http.get(path, headers={"Host": "[::1]:8080"}).status_code == 200
                problem(http.get(path, headers={"Origin": "https://example.org"}), 403, "administration-closed")
                for name in ("rebound.example:8080", ""):
                    problem(http.get(path, headers={"Host": name}), 403, "unknown-host")
            else:
                assert "TRUSTVQA_DEMO_API_KEYS" in problem(http.get(path), 403, "administration-closed")["detail"]


PROXIES = {
    "Forwarded": "for=192.0.2.7",
    "Via": "1.1 ward",
    "X-Real-IP": "192.0.2.7",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Proto": "https",
}


def test_what_a_proxy_passes_on_is_not_from_the_machine_s_user() -> None:
    with serving(host="127.0.0.1") as http:
        assert http.get("/things/x").status_code == 200
        for name, value in PROXIES.items():
            problem(http.get("/things/x", headers={name: value}), 403, "administration-closed")
            assert http.get("/open", headers={name: value}).status_code == 200
        # As nginx asks by default: the address of its upstream as the host, HTTP/1.0, and no word of a client.
        for version, status in (("1.0", b" 403 "), ("1.1", b" 200 ")):
            with socket.create_connection((http.base_url.host, http.base_url.port), timeout=20) as sent:
                lines = f"GET /things/x HTTP/{version}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
                sent.sendall(lines.encode())
                assert status in sent.makefile("rb").readline()


def test_a_route_that_only_the_router_finds_is_for_administrators(
    keys: tuple[Path, dict[str, str]],
) -> None:
    app = demo(api_keys=keys[0])
    with running(app) as url, httpx.Client(base_url=url, timeout=20) as http:
        assert http.get("/open").status_code == 200

        @app.get("/later")  # after the authenticator has listed the routes
        async def later() -> str:
            return "later"

        problem(http.get("/later", headers=bearer(keys[1]["two"])), 403, "key-lacks-scope")
        assert http.get("/later", headers=bearer(keys[1]["admin"])).status_code == 200


def test_the_openapi_document_shows_what_a_route_asks_for() -> None:
    document = demo().openapi()
    assert document["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"
    assert document["paths"]["/ask"]["post"]["security"] == [{"ApiKey": ["ask"]}, {}]  # it has no keys
    assert document["paths"]["/open"]["get"]["security"] == []
