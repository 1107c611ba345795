"""Bounds that all batches of a process share: how many there are, and the bytes of lines that they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from services.common.http.problems import Problem


class BatchPlaces:
    """Places for batches: further ones are told to come back.

    A client has at most half of them, so that none keeps the others out by streams that last for hours.

    Args:
        most: How many batches there are at once.
        retry_after_s: When to come back, in seconds.
    """

    def __init__(self, most: int, retry_after_s: float) -> None:
        self._most = most
        self._each = max(1, most // 2)
        self._retry_after_s = retry_after_s
        self._held: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Batches that there are."""
        return self._held.total()

    @contextmanager
    def place(self, client: str) -> Iterator[None]:
        """Hold a place for the length of a block.

        Args:
            client: Whose batch it is.

        Raises:
            Problem: 503 if there is none.
        """
        if self.held >= self._most or self._held[client] >= self._each:
            raise Problem(
                503,
                "too-many-batches",
                "There are as many batches as may be, or this client has its share of them: try again later.",
                retry_after=self._retry_after_s,
            )
        self._held[client] += 1
        try:
            yield
        finally:
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]


class ByteBudget:
    """A bound on bytes that are held at once; one line is always taken, however long it is.

    Args:
        most: The bound.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._freed = anyio.Event()

    @property
    def held(self) -> int:
        """Bytes that are held."""
        return self._held

    async def take(self, size: int) -> None:
        """Wait until some bytes may be held, and hold them; `give_back` ends that."""
        while self._held and self._held + size > self._most:
            await self._freed.wait()
        self._held += size

    def give_back(self, size: int) -> None:
        """Hold some bytes no longer."""
        self._held -= size
        self._freed.set()
        self._freed = anyio.Event()
