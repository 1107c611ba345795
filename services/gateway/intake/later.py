"""Work that is begun ahead of the moment at which it is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

_Result = TypeVar("_Result")


class Later:
    """Work for one request that goes on beside it; a context manager that ends with the request what is still going on.

    Example:
        with Later() as later:
            description = later.begin(describe())
            answer = await ask()
            return answer, await description
    """

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def __enter__(self) -> Self:
        """Begin with nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what nobody has waited for: cancelled, not waited for."""
        for task in self._tasks:
            task.cancel()

    def begin(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        """Begin with something; errors are raised where it is awaited, and nowhere if it is not."""
        task = asyncio.create_task(work)
        task.add_done_callback(_look_at)
        self._tasks.append(task)
        return task


def _look_at(task: asyncio.Task[Any]) -> None:
    # asyncio would complain of an error that nobody has seen.
    if not task.cancelled():
        task.exception()
