"""Bounds on what is done at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from services.gateway.errors import BusyError


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
