"""The end of work that nobody waits for any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
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
    results: list[_Result] = []
    errors: list[Exception] = []

    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        # Caught here and raised below: a task group would wrap it in a group of one.
        try:
            results.append(await work())
        except Exception as error:  # noqa: BLE001, RUF100 - raised again below
            errors.append(error)
        tasks.cancel_scope.cancel()
    if errors:
        raise errors[0]
    if not results:
        raise ClientDisconnect
    return results[0]
