"""An event loop in a thread of its own, for programs that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from typing import Any, TypeVar

_T = TypeVar("_T")


class LoopThread:
    """Runs coroutines and waits for them; its thread ends with `close_after`, or with the process.

    Not `asyncio.run`: connections belong to the loop that made them, and in a notebook another loop runs already.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="trustvqa-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine to its end; it is cancelled if the waiting is interrupted, as by Ctrl-C."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("the client is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncGenerator[_T, None]) -> Iterator[_T]:
        """Give the items of an asynchronous generator; it is closed when the iteration ends, early or not."""
        try:
            while True:
                try:
                    yield self.run(_next_of(items))
                except StopAsyncIteration:
                    return
        finally:
            if not self._loop.is_closed():
                self.run(items.aclose())

    def close_after(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one coroutine more, then end the loop and its thread; nothing happens the second time."""
        if self._loop.is_closed():
            return
        self.run(last())
        self.run(self._loop.shutdown_asyncgens())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next_of(items: AsyncGenerator[_T, None]) -> _T:
    return await anext(items)
