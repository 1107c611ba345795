"""Bounds on connections, with clients that send what no library would."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request

from services.common.http.connection import MAX_HEADER_BYTES, BoundedProtocol
from services.common.http.server import server_config
from services.policy.settings import PolicySettings
from tests.support.servers import running


@contextlib.contextmanager
def bounded(**bounds: float) -> Iterator[str]:
    app = FastAPI()
    app.get("/")(lambda: "here")

    @app.post("/")
    async def count(request: Request) -> int:
        return len(await request.body())

    def configure() -> uvicorn.Config:
        config = server_config(app, PolicySettings())
        assert isinstance(config.http, type)
        assert issubclass(config.http, BoundedProtocol)
        config.http = type("Patient", (config.http,), bounds)
        return config

    with running(app, configure()) as url:
        yield url


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with bounded() as url:
        yield url


def connect(url: str) -> socket.socket:
    place = urlsplit(url)
    assert place.hostname
    assert place.port
    return socket.create_connection((place.hostname, place.port), timeout=20)


def read_to_the_end(connection: socket.socket) -> bytes:
    """Everything that comes until the server hangs up; a client that waits longer than its timeout fails the test."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            found += piece
    return found


def problem_of(reply: bytes) -> tuple[int, str]:
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    problem = json.loads(body)
    assert head.split()[1] == str(problem["status"]).encode()
    return problem["status"], problem["type"].rpartition(":")[2]


def flood(connection: socket.socket, piece: bytes, most: int) -> int:
    """Send a piece again and again until the server hangs up; return how many bytes it let through."""
    sent = 0
    with contextlib.suppress(OSError):
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
    return sent


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Endless: ", b"x" * 1000),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-Many: y\r\n" * 90),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-", b"Name" * 250),
        (b"GET /", b"path/" * 200),
    ],
    ids=["value", "fields", "name", "address"],
)
def test_a_header_without_end_is_refused_early(url: str, begin: bytes, piece: bytes) -> None:
    with connect(url) as connection:
        connection.sendall(begin)
        # A little above what the sockets' buffers hold beyond the bound.
        assert flood(connection, piece, 50_000_000) < 20_000_000
    with connect(url) as connection:
        connection.sendall(begin + piece * (MAX_HEADER_BYTES // len(piece) + 1))
        assert problem_of(read_to_the_end(connection)) == (431, "header-too-large")
    assert httpx.get(url).text == '"here"'


@pytest.mark.parametrize("size", [60_000, 70_000, 200_000])
def test_the_bound_is_the_same_however_a_header_arrives(url: str, size: int) -> None:
    with httpx.Client(base_url=url) as client:
        status = client.get("/", headers={"X-Large": "x" * size}).status_code
        assert status == (200 if size < MAX_HEADER_BYTES else 431)


def test_a_large_body_is_no_header(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        for size in (1_000_000, 0, 100_000):
            assert client.post("/", content=b"x" * size).text == str(size)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", None),
        (b"\r\n", None),
        (b"GET / HT", 408),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: y", 408),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nX: ", 408),
    ],
    ids=["nothing", "blank", "line", "field", "second"],
)
def test_who_is_silent_is_hung_up_on(sent: bytes, status: int | None) -> None:
    with bounded(header_timeout_s=0.3) as url, connect(url) as connection:
        connection.sendall(sent)
        reply = read_to_the_end(connection)
        if status is None:
            assert b"408" not in reply
        else:
            assert problem_of(reply[reply.rindex(b"HTTP/1.1") :]) == (status, "request-timeout")
        assert httpx.get(url).status_code == 200


def test_a_body_that_nobody_waits_for_is_not_waited_for() -> None:
    with bounded(header_timeout_s=0.3) as url, connect(url) as connection:
        connection.sendall(b"PUT /absent HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        assert b"404" in connection.recv(65536)
        connection.sendall(b"x")
        assert read_to_the_end(connection) == b""


def test_a_slow_answer_is_waited_for() -> None:
    app, asked = FastAPI(), threading.Event()

    @app.get("/")
    def slow() -> str:
        asked.wait(20)
        return "late"

    config = server_config(app, PolicySettings())
    config.http = type("Hasty", (BoundedProtocol,), {"header_timeout_s": 0.05})
    with running(app, config) as url, connect(url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with connect(url) as other:  # a connection that is hung up on meanwhile: more time than the header had
            assert read_to_the_end(other) == b""
        asked.set()
        assert b"late" in connection.recv(65536)


def test_silent_connections_make_room_for_those_that_ask() -> None:
    with bounded(max_connections=8) as url, contextlib.ExitStack() as open_ones:
        silent = [open_ones.enter_context(connect(url)) for _ in range(40)]
        for _ in range(4):
            assert httpx.get(url).status_code == 200
        assert read_to_the_end(silent[0]) == b""  # the longest silent went first


def test_beyond_the_bound_new_connections_are_told_to_come_back() -> None:
    app, asked, done = FastAPI(), threading.Semaphore(0), threading.Event()

    @app.get("/")
    def slow() -> str:
        asked.release()
        done.wait(20)
        return "done"

    config = server_config(app, PolicySettings(max_connections=4))
    with running(app, config) as url, contextlib.ExitStack() as open_ones:
        busy = [open_ones.enter_context(connect(url)) for _ in range(4)]
        for each in busy:
            each.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in busy:
            assert asked.acquire(timeout=20)
        with connect(url) as one_more:
            assert problem_of(read_to_the_end(one_more)) == (503, "too-many-connections")
        done.set()
        assert all(b"done" in each.recv(65536) for each in busy)


def test_what_is_no_request_is_told_so(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(b"\x16\x03\x01 a TLS greeting, say\r\n\r\n")
        assert problem_of(read_to_the_end(connection)) == (400, "malformed-request")


def test_a_request_for_a_websocket_is_answered_as_if_it_had_not_asked(url: str) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert httpx.get(f"{url}/", headers=upgrade).status_code == 200
    assert httpx.get(f"{url}/absent", headers=upgrade).status_code == 404
