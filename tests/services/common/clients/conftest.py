"""The scripted server, started once for the clients' tests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response

from tests.services.common.clients.scripted_server import Hang, Server
from tests.support.servers import running


@pytest.fixture(scope="package")
def shared_server() -> Iterator[Server]:
    server = Server()
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def reply(request: Request) -> Response:
        server.times.append(time.monotonic())
        server.bodies.append(json.loads(await request.body() or b"null"))
        server.headers.append(dict(request.headers))
        found = server.replies[0] if len(server.replies) == 1 else server.replies.pop(0)
        if isinstance(found, Hang):
            while (await request.receive())["type"] != "http.disconnect":
                pass
        return found

    with running(app) as url:
        server.url = url
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    for log in (shared_server.replies, shared_server.bodies, shared_server.headers, shared_server.times):
        log.clear()
    return shared_server
