"""A small TCP balancer that gives connections to replicas which are ready, as a cluster's Service does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Self
from urllib.parse import urlsplit

import httpx

_LOOK_S = 0.1
_PIECE = 1 << 16


class Balancer:
    """A balancer on a free port of loopback. Connections that are open stay where they are, ready or not.

    Args:
        replicas: Addresses of the replicas.

    Attributes:
        ready: Those that get new connections.
    """

    def __init__(self, replicas: Sequence[str]) -> None:
        self._replicas = tuple(replicas)
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.ready: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in (self._looking, *self._tasks):
            task.cancel()
        await asyncio.gather(self._looking, *self._tasks, return_exceptions=True)

    async def _look(self) -> None:
        async with httpx.AsyncClient(timeout=5) as http:
            while True:
                found = []
                for url in self._replicas:
                    with contextlib.suppress(httpx.HTTPError):
                        if (await http.get(f"{url}/health/ready")).status_code == httpx.codes.OK:
                            found.append(url)
                self.ready = found
                await asyncio.sleep(_LOOK_S)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if not self.ready:
            to_client.transport.abort()
            return
        self._turn += 1
        address = urlsplit(self.ready[self._turn % len(self.ready)])
        try:
            service, to_service = await asyncio.open_connection(address.hostname, address.port)
        except OSError:
            to_client.transport.abort()
            return
        for source, sink in ((client, to_service), (service, to_client)):
            task = asyncio.create_task(_pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(_PIECE):
            sink.write(piece)
            await sink.drain()
    except OSError:
        sink.transport.abort()
    finally:
        sink.close()
