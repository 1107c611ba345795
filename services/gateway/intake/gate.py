"""Bounds on what is done at once, and the end of work that nobody waits for any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import Receive

_Result = TypeVar("_Result")
_Other = TypeVar("_Other")


class BusyError(Exception):
    """There is no free place, and waiting for one is no use."""


class Gate:
    """Lets a bounded number in at once, a bounded number wait, and turns the others away.

    Args:
        places: How many are in at once.
        waiting: How many may wait for a place.
        max_wait_s: How long they wait, in seconds.
    """

    def __init__(self, places: int, *, waiting: int = 0, max_wait_s: float = 0.0) -> None:
        self._places = anyio.Semaphore(places, fast_acquire=True)
        self._max_waiting = waiting
        self._max_wait_s = max_wait_s
        self.waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place for the length of a block.

        Raises:
            BusyError: If all places and waiting places are taken, or no place came free in time.
        """
        await self._enter()
        try:
            yield
        finally:
            self._places.release()

    async def _enter(self) -> None:
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock:
            pass
        else:
            return
        if self.waiting >= self._max_waiting:
            raise BusyError
        self.waiting += 1
        try:
            with anyio.fail_after(self._max_wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise BusyError from None
        finally:
            self.waiting -= 1


async def together(
    work: Callable[[], Awaitable[_Result]], beside: Callable[[], Awaitable[_Other]]
) -> tuple[_Result, _Other]:
    """Do two things at once, and stop the other when one fails.

    Raises:
        Exception: What either raised, as it was raised; the first one's, if both did.
    """
    results: list[_Result] = []
    others: list[_Other] = []
    errors: list[Exception] = []

    async with anyio.create_task_group() as tasks:
        # Caught here and raised below: a task group would wrap it in a group of one.
        async def at_the_same_time() -> None:
            try:
                others.append(await beside())
            except Exception as error:  # noqa: BLE001, RUF100 - raised again below
                errors.append(error)
                tasks.cancel_scope.cancel()

        tasks.start_soon(at_the_same_time)
        try:
            results.append(await work())
        except Exception as error:  # noqa: BLE001, RUF100 - raised again below
            errors.insert(0, error)
            tasks.cancel_scope.cancel()
    if errors:
        raise errors[0]
    return results[0], others[0]


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
