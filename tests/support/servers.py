"""Real servers for tests: an ASGI app on a free loopback port, in a thread of this process, started cheaply."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import inspect
import random
import socket
import threading
from collections.abc import Iterator
from typing import Any

import fastapi.routing
import pytest
import uvicorn
from starlette.types import ASGIApp

_TICK_S = 0.1
_POLL_S = 0.005
_SHARED = "contexts_of_this_test_process"


def free_port() -> int:
    """A port that was free a moment ago, and that the system gives nobody by itself; see `free_port_block`."""
    return free_port_block(1)


class _Server(uvicorn.Server):
    """A server that begins and ends without uvicorn's pauses: a sixth of a second for each of a thousand servers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()

    def end(self) -> None:
        """Ask it to end; from any thread."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._asked.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self.is_up.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), _TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)  # idle connections go
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - as uvicorn has it
                    await asyncio.sleep(_POLL_S)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()


@contextlib.contextmanager
def running(app: ASGIApp, config: uvicorn.Config | None = None, *, address: str = "127.0.0.1") -> Iterator[str]:
    """Serve an app until the block ends.

    Args:
        app: Any ASGI application; its lifespan runs.
        config: How it is served, where that matters; its address is not taken.
        address: Where it listens. Others of 127.0.0.0/8 are this machine too, and to the services hosts like any.

    Yields:
        The base URL, without a trailing slash.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 0))
    server = _Server(config or uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.is_up.wait(0.05):
            if not thread.is_alive():
                raise RuntimeError("the server under test ended while it started")
        yield f"http://{address}:{listener.getsockname()[1]}"
    finally:
        server.end()
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


def share_routes(patch: pytest.MonkeyPatch) -> None:
    """Have an included route read once for all applications that include it alike.

    An application reads signatures and makes validators of each route that it includes, and the suite starts many
    hundred of the same few: a third of what a gateway takes to start. What is read is the same each time but for the
    application that may override dependencies, which none of ours does. It is kept at the route, and goes with it.

    Args:
        patch: Where it is patched until.
    """
    original = fastapi.routing._EffectiveRouteContext.from_api_route

    @functools.wraps(original)
    def shared(_: type[Any], *, original_route: Any, include_context: Any) -> Any:
        context = dataclasses.replace(include_context, dependency_overrides_provider=None)
        made: list[tuple[Any, Any]] = original_route.__dict__.setdefault(_SHARED, [])
        for known, found in made:
            if known == context:
                return found
        found = original(original_route=original_route, include_context=context)
        made.append((context, found))
        return found

    patch.setattr(fastapi.routing._EffectiveRouteContext, "from_api_route", classmethod(shared))


def read_routes_anew(patch: pytest.MonkeyPatch) -> None:
    """Have FastAPI read each route for each application again, as it does where nothing is patched.

    Args:
        patch: Where what `share_routes` did is undone until.
    """
    shared = fastapi.routing._EffectiveRouteContext.from_api_route
    patch.setattr(fastapi.routing._EffectiveRouteContext, "from_api_route", inspect.unwrap(shared))
