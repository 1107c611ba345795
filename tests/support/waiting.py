"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

DEADLINE_S = 30.0
_POLL_S = 0.02


async def until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S, *, poll_s: float = _POLL_S) -> None:
    """Wait until a condition holds; TimeoutError where it does not in time."""
    async with asyncio.timeout(deadline_s):
        # The conditions belong to other processes, which can set no event here.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(poll_s)


def wait_until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S, *, poll_s: float = _POLL_S) -> None:
    """Wait until a condition holds, without an event loop; TimeoutError where it does not in time."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} did not hold within {deadline_s:g} s")
        time.sleep(poll_s)
