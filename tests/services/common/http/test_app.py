"""Parts that every service has: health, problems, ids and traces, metrics, bounded bodies. Over real HTTP."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from services.common.http.app import create_app
from services.common.http.health import Dependency
from services.common.http.problems import Problem
from services.common.trace_context import trace_headers
from tests.support.servers import running
from tests.support.settings import DemoSettings
from tests.support.waiting import wait_until

MAX_BODY = 1000
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Echo(BaseModel):
    text: str


async def version_info() -> dict[str, Any]:
    return {"models": {"demo": "m-1"}}


class Demo:
    """A small service whose dependencies can be taken away."""

    def __init__(self) -> None:
        self.dependencies = {"model": Dependency(ok=True), "cache": Dependency(ok=True, required=False)}
        self.events: list[str] = []
        self.app = create_app(
            DemoSettings(),
            title="Demo",
            lifespan=self._lifespan,
            readiness=self._readiness,
            version_info=version_info,
            max_body_bytes=MAX_BODY,
            body_timeout_s=2.0,
        )
        self._add_routes()

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        self.events.append("opened")
        yield
        self.events.append("closed")

    async def _readiness(self) -> dict[str, Dependency]:
        return self.dependencies

    def _add_routes(self) -> None:
        app = self.app

        @app.post("/echo")
        async def echo(body: Echo) -> dict[str, str]:
            return {"text": body.text}

        @app.get("/items/{name}")
        async def item(name: str, size: Annotated[int, Query(ge=1)] = 1) -> dict[str, Any]:
            return {"name": name, "size": size, "outgoing": dict(trace_headers())}

        @app.get("/busy")
        async def busy() -> None:
            raise Problem(429, "busy", "Too many.", retry_after=1.2, limit=7)

        @app.get("/teapot")
        async def teapot() -> None:
            raise HTTPException(418, "short and stout", headers={"X-Pot": "tea"})

        @app.get("/bug")
        async def bug() -> None:
            raise RuntimeError("password=hunter2")

        @app.get("/half")
        async def half() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                yield b"the first half"
                raise RuntimeError("password=hunter2")

            return StreamingResponse(parts())


@pytest.fixture(scope="module")
def demo() -> Demo:
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    return Demo()


@pytest.fixture(scope="module")
def http(demo: Demo) -> Iterator[httpx.Client]:
    with running(demo.app) as url, httpx.Client(base_url=url) as client:
        yield client
    assert demo.events == ["opened", "closed"]


def problem(reply: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert reply.status_code == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = reply.json()
    assert document["type"] == f"urn:trustvqa:problem:{kind}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == reply.headers["X-Request-Id"]
    return document


def test_liveness_readiness_and_version(http: httpx.Client, demo: Demo) -> None:
    assert http.get("/health/live").json() == {"status": "alive"}
    ready = http.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    version = http.get("/version").json()
    assert version["service"] == "demo"
    assert version["models"] == {"demo": "m-1"}
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", version["software"])
    assert version["revision"] is None or re.fullmatch(r"[0-9a-f]{40}", version["revision"])


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/version", "/metrics"])
def test_health_routes_answer_head_without_a_body(http: httpx.Client, path: str) -> None:
    reply = http.head(path)
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["Content-Type"] == http.get(path).headers["Content-Type"]


def test_only_required_dependencies_keep_a_service_from_being_ready(
    http: httpx.Client, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(demo.dependencies, "cache", Dependency(ok=False, required=False, detail="away"))
    assert http.get("/health/ready").status_code == 200
    monkeypatch.setitem(demo.dependencies, "model", Dependency(ok=False, detail="loading"))
    reply = http.get("/health/ready")
    assert reply.status_code == 503
    assert reply.json()["status"] == "not_ready"
    assert reply.json()["dependencies"]["model"] == {"ok": False, "required": True, "detail": "loading"}
    assert http.get("/health/live").status_code == 200


def test_a_problem_is_a_document_with_its_extensions(http: httpx.Client) -> None:
    reply = http.get("/busy")
    document = problem(reply, 429, "busy")
    assert (document["title"], document["detail"], document["limit"]) == ("Busy", "Too many.", 7)
    assert reply.headers["Retry-After"] == "2"


def test_framework_errors_are_problems_too(http: httpx.Client) -> None:
    lost = problem(http.get("/nowhere"), 404, "not-found")
    assert lost["detail"] == "This service has no such path: /docs shows those that it has."
    refused = http.delete("/echo")
    problem(refused, 405, "method-not-allowed")
    assert refused.headers["Allow"] == "POST"
    # All methods of a path, whichever routes they are of.
    assert http.delete("/health/live").headers["Allow"] == "GET, HEAD"
    teapot = http.get("/teapot")
    assert problem(teapot, 418, "im-a-teapot")["detail"] == "short and stout"
    assert teapot.headers["X-Pot"] == "tea"


def test_what_is_wrong_with_a_request_is_said_by_field(http: httpx.Client) -> None:
    document = problem(http.post("/echo", json={"text": 3}), 422, "invalid-request")
    assert document["detail"].startswith("Check text: ")
    assert [fault["field"] for fault in document["errors"]] == ["text"]
    assert problem(http.get("/items/a?size=0"), 422, "invalid-request")["errors"][0]["field"] == "size"
    problem(http.post("/echo", content=b"{", headers={"Content-Type": "application/json"}), 400, "malformed-json")
    problem(http.post("/echo", content=b"text", headers={"Content-Type": "text/plain"}), 415, "unsupported-media-type")
    problem(http.post("/echo"), 422, "invalid-request")


def test_an_unforeseen_error_tells_its_id_and_nothing_else(http: httpx.Client) -> None:
    reply = http.get("/bug", headers={"X-Request-Id": "ward-7"})
    problem(reply, 500, "internal-error")
    assert reply.headers["X-Request-Id"] == "ward-7"
    assert "hunter2" not in reply.text
    assert "Traceback" not in reply.text
    assert 'http_requests_total{method="GET",route="/bug",status="500"}' in http.get("/metrics").text


def test_an_error_in_the_middle_of_a_reply_breaks_the_connection(http: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/half")
    assert http.get("/health/live").status_code == 200


@pytest.mark.parametrize("given", ["ward-7", "A.b_c-9", "x" * 128])
def test_a_request_s_id_is_kept(http: httpx.Client, given: str) -> None:
    reply = http.get("/items/a", headers={"X-Request-Id": given})
    assert reply.headers["X-Request-Id"] == given
    assert reply.json()["outgoing"]["X-Request-Id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "two words", 'a"b', "ä"])
def test_a_request_without_a_fit_id_gets_one(http: httpx.Client, given: str | None) -> None:
    headers = [] if given is None else [(b"X-Request-Id", given.encode("latin-1"))]
    first, second = (http.get("/items/a", headers=headers).headers["X-Request-Id"] for _ in range(2))
    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert first != second


def test_a_trace_is_continued_with_a_span_of_its_own(http: httpx.Client) -> None:
    reply = http.get("/items/a", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    found = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", reply.headers["traceparent"])
    assert found is not None
    assert found[1] == TRACE
    assert found[2] != "b7ad6b7169203331"
    assert reply.json()["outgoing"]["traceparent"] == reply.headers["traceparent"]


@pytest.mark.parametrize(
    "given",
    [
        None,
        "00-xyz",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_a_trace_begins_where_none_is_given(http: httpx.Client, given: str | None) -> None:
    reply = http.get("/items/a", headers={} if given is None else {"traceparent": given})
    found = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-00", reply.headers["traceparent"])
    assert found is not None
    assert found[1] != TRACE


def test_requests_are_counted_by_route_pattern(http: httpx.Client) -> None:
    def count(route: str, status: int) -> float:
        pattern = rf'http_requests_total{{method="GET",route="{re.escape(route)}",status="{status}"}} (\S+)'
        found = re.search(pattern, http.get("/metrics").text)
        return 0.0 if found is None else float(found[1])

    before = count("/items/{name}", 200), count("unmatched", 404)
    for name in ("a", "b", "c"):
        assert http.get(f"/items/{name}").status_code == 200
        assert http.get(f"/no/{name}").status_code == 404
    assert (count("/items/{name}", 200), count("unmatched", 404)) == (before[0] + 3, before[1] + 3)
    metrics = http.get("/metrics").text
    assert "/health" not in metrics
    assert 'http_request_duration_seconds_count{method="GET",route="/items/{name}"}' in metrics
    assert "http_requests_in_flight 0.0" in metrics


def test_a_body_up_to_the_bound_is_read_and_none_beyond(http: httpx.Client) -> None:
    frame = len('{"text":""}')
    assert http.post("/echo", json={"text": "x" * (MAX_BODY - frame)}).status_code == 200
    assert problem(http.post("/echo", json={"text": "x" * (MAX_BODY - frame + 1)}), 413, "body-too-large")


def test_a_body_of_unstated_length_is_bounded_too(http: httpx.Client) -> None:
    def parts(count: int) -> Iterator[bytes]:
        yield b'{"text":"'
        for _ in range(count):
            yield b"x" * 100
        yield b'"}'

    json_type = {"Content-Type": "application/json"}
    assert http.post("/echo", content=parts(9), headers=json_type).json() == {"text": "x" * 900}
    problem(http.post("/echo", content=parts(10_000), headers=json_type), 413, "body-too-large")


def raw(http: httpx.Client) -> socket.socket:
    connection = socket.create_connection((http.base_url.host, http.base_url.port or 80))
    connection.settimeout(10)
    return connection


HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n"


def test_a_client_that_dawdles_over_its_body_is_told_so(http: httpx.Client) -> None:
    with raw(http) as connection:
        connection.sendall(HEAD + b'{"te')
        with connection.makefile("rb") as stream:
            reply = stream.read()  # to the end: the connection is closed
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b"urn:trustvqa:problem:request-timeout" in reply


def test_a_client_that_leaves_harms_nothing(http: httpx.Client) -> None:
    for _ in range(20):
        with raw(http) as connection:
            connection.sendall(HEAD + b'{"te')
    assert http.post("/echo", json={"text": "still here"}).status_code == 200
    wait_until(lambda: "http_requests_in_flight 0.0" in http.get("/metrics").text)


def test_documentation_pages_that_load_scripts_from_elsewhere_are_off(http: httpx.Client) -> None:
    for path in ("/redoc", "/docs/oauth2-redirect"):
        assert http.get(path).status_code == 404
    assert http.get("/openapi.json").json()["info"]["title"] == "Demo"
