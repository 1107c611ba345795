"""An event loop in a thread of its own, for programs that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

_T = TypeVar("_T")


class _ClosedError(RuntimeError):
    def __init__(self) -> None:
        super().__init__("the client is closed")


class LoopThread:
    """Runs coroutines and waits for them; its thread ends with `close_after`, or with the process.

    Not `asyncio.run`: connections belong to the loop that made them, and in a notebook another loop runs already.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._is_ending = False
        self._lock = threading.RLock()  # nothing is begun once the loop is told to end: nobody would run it
        self._thread = threading.Thread(target=self._loop.run_forever, name="trustvqa-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine to its end; it is cancelled if the waiting is interrupted, as by Ctrl-C.

        Raises:
            RuntimeError: If the loop has ended, or is ended by another thread meanwhile.
        """
        with self._lock:
            if self._is_ending:
                work.close()
                raise _ClosedError
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return self._outcome(future)

    def _outcome(self, future: Future[_T]) -> _T:
        try:
            return future.result()
        except CancelledError:
            if self._is_ending:
                raise _ClosedError from None
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
            with suppress(_ClosedError):  # the end of the loop closes it too
                self.run(items.aclose())

    def close_after(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one coroutine more, then end the loop and its thread; nothing happens the second time.

        What other threads wait for is cancelled first: they get an error, as nothing would wake them later.
        """
        with self._lock:
            if self._is_ending:
                return
            self._is_ending = True
            future = asyncio.run_coroutine_threadsafe(self._end(last), self._loop)
        try:
            future.result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _end(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        try:
            await last()
        finally:
            await self._loop.shutdown_asyncgens()
            await self._loop.shutdown_default_executor()


async def _next_of(items: AsyncGenerator[_T, None]) -> _T:
    return await anext(items)
