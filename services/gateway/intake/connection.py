"""The end of work that nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

_Result = TypeVar("_Result")


async def while_connected(receive: Receive, work: Callable[[], Awaitable[_Result]]) -> _Result:
    """Do work for a client and stop, cancelling everything it waits for, when the client hangs up.

    Args:
        receive: The request's ASGI channel, its body already read.
        work: What to do.

    Returns:
        The work's result.

    Raises:
        ClientDisconnect: If the client left first.
        Exception: What the work raised.
    """
    # A deadline that is set when the client leaves. Not a task group: two of them an answer took longer than all that
    # they did, and would wrap an error in a group of one.
    scope = asyncio.timeout(None)

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.reschedule(0.0)

    watching: asyncio.Task[None] | None = None
    try:
        async with scope:
            watching = asyncio.create_task(watch())
            return await work()
    except TimeoutError:
        if scope.expired():
            raise ClientDisconnect from None
        raise
    finally:
        if watching is not None:
            watching.cancel()
