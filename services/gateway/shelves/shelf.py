"""What a gateway reads from the registry and keeps in step with it, never on the event loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
import anyio.to_thread
import structlog

_Item = TypeVar("_Item")
_log = structlog.get_logger(__name__)


class Shelf(Generic[_Item]):
    """Items of one kind, read again when their files change.

    Args:
        stamp: Summarises the files cheaply; it changes when any of them does.
        read: Reads them all.
        check_every_s: Seconds between two looks at the stamp.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        stamp: Callable[[], object],
        read: Callable[[], list[_Item]],
        check_every_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._take_stamp = stamp
        self._read = read
        self._check_every_s = check_every_s
        self._clock = clock
        self._reading = anyio.Lock()
        self._checked_at: float | None = None
        self._stamp: object = None
        self.items: list[_Item] = []

    async def refresh(self, *, at_once: bool = False) -> None:
        """Read the registry if it is time, or at once, and its files have changed."""
        async with self._reading:
            now = self._clock()
            lately = self._checked_at is not None and now - self._checked_at < self._check_every_s
            if lately and not at_once:
                return
            try:
                await anyio.to_thread.run_sync(self._look)
            except OSError as error:
                # A volume that is away for a moment does not unlearn what was read from it.
                _log.error("the registry cannot be read", reason=str(error))
            self._checked_at = now

    def _look(self) -> None:
        # The stamp is taken first: a file that changes while it is read is read again next time.
        stamp = self._take_stamp()
        if stamp != self._stamp:
            self.items = self._read()
            self._stamp = stamp
