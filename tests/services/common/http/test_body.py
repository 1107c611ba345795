"""The memory that all bodies share."""

from __future__ import annotations

import contextlib

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.common.http.body import BoundedBody
from tests.services.common.http.test_connection import connect, problem_of, read_to_the_end
from tests.support.servers import running
from tests.support.waiting import wait_until


def head(length: int) -> bytes:
    return f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()


def test_bodies_of_all_requests_take_no_more_than_their_share() -> None:

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body = await Request(scope, receive).body()
            await Response(str(len(body)))(scope, receive, send)

    bounded = BoundedBody(app, max_bytes=1000, timeout_s=20, max_held_bytes=1500)
    with running(bounded) as url, contextlib.ExitStack() as held:
        half_sent = [held.enter_context(connect(url)) for _ in range(2)]
        for each in half_sent:
            each.sendall(head(1000) + b"x" * 700)
        wait_until(lambda: httpx.post(url, content=b"x" * 200).status_code == 503)
        with connect(url) as one_more:
            one_more.sendall(head(1000) + b"x" * 300)
            assert problem_of(read_to_the_end(one_more)) == (503, "busy")
        # What fits goes on, and what is done gives its share back.
        assert httpx.post(url, content=b"x" * 50).text == "50"
        half_sent[0].close()
        wait_until(lambda: httpx.post(url, content=b"x" * 200).status_code == 200)
        half_sent[1].sendall(b"x" * 300)
        assert b"\r\n\r\n1000" in half_sent[1].recv(4096)
        for _ in range(20):
            assert httpx.post(url, content=b"x" * 900).text == "900"
