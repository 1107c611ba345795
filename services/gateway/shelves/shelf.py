"""A shelf: what the gateway keeps in memory of the registry's files of one kind, in step with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
import anyio.to_thread
import structlog

_Content = TypeVar("_Content")
_log = structlog.get_logger(__name__)


class Shelf(Generic[_Content]):
    """One value made of files, made again when the files change, never on the event loop.

    The value is replaced as a whole: whoever holds one has what was read together, whatever is read beside.

    Args:
        stamp: Summarises the files cheaply; it changes when any of them does.
        read: Makes the value of the files.
        empty: The value before the first look.
        check_every_s: Seconds between two looks at the stamp.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        stamp: Callable[[], object],
        read: Callable[[], _Content],
        empty: _Content,
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
        self.content = empty

    async def refresh(self, *, at_once: bool = False) -> None:
        """Read the files if it is time, or at once, and they have changed."""
        if not at_once and self._is_fresh:
            return
        async with self._reading:
            if not at_once and self._is_fresh:
                return  # read while this call waited
            now = self._clock()
            try:
                await anyio.to_thread.run_sync(self._look)
            except OSError as error:
                # A volume that is away for a moment does not unlearn what was read from it.
                _log.error("the registry cannot be read", reason=str(error))
            self._checked_at = now

    @property
    def _is_fresh(self) -> bool:
        return self._checked_at is not None and self._clock() - self._checked_at < self._check_every_s

    def _look(self) -> None:
        # The stamp is taken first: a file that changes while it is read is read again next time.
        stamp = self._take_stamp()
        if stamp != self._stamp:
            self.content = self._read()
            self._stamp = stamp
