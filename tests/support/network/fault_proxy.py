"""A TCP proxy between two services, with switches for what networks and servers do wrong."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from typing import Literal, Self
from urllib.parse import urlsplit

Habit = Literal["pass", "refuse", "reset", "hold", "late", "drip", "garbage", "replace", "hang up"]
"""The fate of connections.

pass     bytes go through, both ways
refuse   nobody listens, and open connections are reset
reset    a connection is reset once a reply has begun
hold     nothing goes through until the habit changes; connections stay open
late     every piece of a reply is `pause_s` late
drip     replies come a byte every `pause_s`
garbage  replies are random bytes
replace  a reply is `replacement`, whatever was asked
hang up  a connection is closed where a reply would begin
"""

_PIECE = 1 << 16


class FaultProxy:
    """A proxy on a free port of loopback; one event loop runs it and changes its habits.

    Args:
        upstream: The address of the service behind it.
        seed: Of the garbage.

    Attributes:
        pause_s: Seconds of `late` and `drip`.
        replacement: Bytes of `replace`.
    """

    def __init__(self, upstream: str, seed: int = 0) -> None:
        address = urlsplit(upstream)
        self._host, self._upstream_port = address.hostname or "127.0.0.1", address.port or 80
        self._random = random.Random(seed)
        self._habit: Habit = "pass"
        self._moving = asyncio.Event()
        self._moving.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.port = 0
        self.pause_s = 0.0
        self.replacement = b""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """Connections of clients and to the service that are open."""
        return len(self._writers)

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.behave("refuse")
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def behave(self, habit: Habit, *, pause_s: float = 0.0, replacement: bytes = b"") -> None:
        """Take on a habit in place of the last one."""
        self._habit, self.pause_s, self.replacement = habit, pause_s, replacement
        if habit == "hold":
            self._moving.clear()
        else:
            self._moving.set()
        if habit == "refuse":
            if self._server is not None:
                self._server.close()
                self._server = None
            for writer in list(self._writers):
                _reset(writer)
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=listener)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._writers.add(to_client)
        try:
            service, to_service = await asyncio.open_connection(self._host, self._upstream_port)
        except OSError:
            # As where nobody listens: this proxy has no other way to say so.
            _reset(to_client)
            self._writers.discard(to_client)
            return
        self._writers.add(to_service)
        for pump in (self._ask(client, to_service), self._reply(service, to_client)):
            task = asyncio.create_task(self._until_closed(pump, (to_client, to_service)))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _until_closed(self, pump: object, writers: tuple[asyncio.StreamWriter, ...]) -> None:
        try:
            await pump  # type: ignore[misc]
        except OSError:
            for writer in writers:
                _reset(writer)
        finally:
            for writer in writers:
                writer.close()
                self._writers.discard(writer)

    async def _ask(self, client: asyncio.StreamReader, to_service: asyncio.StreamWriter) -> None:
        while piece := await client.read(_PIECE):
            await self._moving.wait()
            to_service.write(piece)
            await to_service.drain()

    async def _reply(self, service: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while piece := await service.read(_PIECE):
            await self._moving.wait()
            match self._habit:
                case "reset":
                    to_client.write(piece[: len(piece) // 2])
                    await to_client.drain()
                    raise ConnectionResetError
                case "hang up":
                    return
                case "garbage":
                    to_client.write(self._random.randbytes(len(piece)))
                    await to_client.drain()
                    return
                case "replace":
                    to_client.write(self.replacement)
                    await to_client.drain()
                    return
                case "drip":
                    await self._drip(piece, to_client)
                case "late":
                    await asyncio.sleep(self.pause_s)
                    to_client.write(piece)
                case _:
                    to_client.write(piece)
            await to_client.drain()

    async def _drip(self, piece: bytes, to_client: asyncio.StreamWriter) -> None:
        for place in range(len(piece)):
            if self._habit != "drip":
                to_client.write(piece[place:])
                return
            to_client.write(piece[place : place + 1])
            await to_client.drain()
            await asyncio.sleep(self.pause_s)


def reply_of(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """Write an HTTP reply that ends its connection."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection by a reset, as a process that was killed with data unread does."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
