"""Pooled connections against real servers: what is sent, what is taken of a reply, and what is told of failures."""

from __future__ import annotations

import gzip
import json
import random
import time

import pytest
from fastapi.responses import JSONResponse, RedirectResponse, Response

from services.common.clients import http_pool
from services.common.clients.http_pool import HttpCallError, HttpPool, NotConnectedError
from tests.services.common.clients.scripted_server import Hang, Server
from tests.support.servers import free_port

PATH = "v1/things"


async def _post(server: Server, body: bytes = b"{}", times: int = 1, most_bytes: int = 1 << 27) -> http_pool.Reply:
    async with HttpPool(server.url, most_bytes=most_bytes) as http:
        for _ in range(times):
            reply = await http.post(PATH, body, {"Content-Type": "application/json"})
    return reply


async def test_a_large_body_arrives_whole(server: Server) -> None:
    server.replies = [JSONResponse({})]
    await _post(server, b'{"a": "' + 3_000_000 * b"x" + b'"}')
    assert server.bodies == [{"a": 3_000_000 * "x"}]


async def test_a_redirect_is_a_reply_like_any_other(server: Server) -> None:
    server.replies = [RedirectResponse("/elsewhere")]
    assert (await _post(server)).status == 307
    assert len(server.bodies) == 1


async def test_cookies_are_not_sent_back(server: Server) -> None:
    server.replies = [JSONResponse({}, headers={"Set-Cookie": "session=hunter2"})]
    await _post(server, times=2)
    assert [each.get("cookie") for each in server.headers] == [None, None]


async def test_a_compressed_reply_is_read(server: Server) -> None:
    body = gzip.compress(b'{"ok": true}')
    server.replies = [Response(body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})]
    assert (await _post(server)).json() == {"ok": True}


async def test_a_reply_without_end_is_no_reply(server: Server) -> None:
    server.replies = [Response(b"x" * (1 << 21))]
    with pytest.raises(HttpCallError, match="larger than 1 MB"):
        await _post(server, most_bytes=1 << 20)


async def test_a_reply_that_is_no_http_is_a_failed_connection(server: Server) -> None:
    server.replies = [Response(b"", headers={"Content-Encoding": "gzip", "Content-Length": "7"})]
    with pytest.raises(HttpCallError, match="connection failed") as caught:
        await _post(server)
    assert not caught.value.timed_out
    assert not isinstance(caught.value, NotConnectedError)


async def test_a_server_that_is_not_there_is_not_connected() -> None:
    async with HttpPool(f"http://127.0.0.1:{free_port()}") as http:
        with pytest.raises(NotConnectedError):
            await http.post(PATH, b"", {})


@pytest.mark.parametrize("base_url", ["http://localhost\\@api.example.org", "nonsense", "http://[::1", "gopher://a/"])
async def test_an_address_that_is_none_is_told_when_it_is_asked(base_url: str) -> None:
    async with HttpPool(base_url) as http:
        assert http.host in ("", "a")
        with pytest.raises(NotConnectedError):
            await http.post(PATH, b"", {})


async def test_getting_has_a_deadline(server: Server) -> None:
    server.replies = [Hang()]
    began = time.monotonic()
    async with HttpPool(server.url) as http:
        with pytest.raises(HttpCallError) as caught:
            await http.get("v1/models", 0.2)
    assert 0.2 <= time.monotonic() - began < 3
    assert caught.value.timed_out
    assert not isinstance(caught.value, NotConnectedError)


async def test_a_proxy_of_the_environment_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.replies = [JSONResponse({"by": "proxy"})]
    async with HttpPool("http://api.example.invalid") as far, HttpPool(server.url) as near:
        await far.post(PATH, b"{}", {})
        await near.post(PATH, b"{}", {})
    assert [each["host"] for each in server.headers] == ["api.example.invalid", server.url.removeprefix("http://")]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": [1, -0.1, 1e-7, null, true, "\\u00e9 \\ud83d\\ude00"], "a": {}}',
        b'{"half": "\\ud800"}',
        b"\xef\xbb\xbf{}",
        '{"a": "\u00e9"}'.encode("utf-16"),
        json.dumps([-random.Random(n).expovariate(0.3) for n in range(500)]).encode(),
        b"[NaN, -Infinity]",
    ],
)
def test_a_body_is_read_as_python_reads_json(body: bytes) -> None:
    assert repr(http_pool.Reply(200, {}, body).json()) == repr(json.loads(body))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"1" * 5000, b"[" * 100_000, b"{'a': 1}", b"{} {}"])
def test_a_body_that_is_no_json_is_told_as_that(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        http_pool.Reply(200, {}, body).json()
