"""Real servers for tests: an ASGI app on a free loopback port, in a thread of this process."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(app: ASGIApp, config: uvicorn.Config | None = None) -> Iterator[str]:
    """Serve an app until the block ends.

    Args:
        app: Any ASGI application; its lifespan runs.
        config: How it is served, where that matters; its address is not taken.

    Yields:
        The base URL, without a trailing slash.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    server = Server(config or uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not started.wait(0.05):
            if not thread.is_alive():
                raise RuntimeError("the server under test ended while it started")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def free_port_block(size: int) -> int:
    """The first of several consecutive ports that were free a moment ago.

    They lie below those that the system gives out by itself, so that no connection of another test takes one before
    the server that is meant to have it.
    """
    draw = random.SystemRandom()
    for _ in range(100):
        first = draw.randrange(12_000, 30_000)
        try:
            for port in range(first, first + size):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError(f"no {size} consecutive free ports")
