"""The object that an association is sending: its file, its bytes, its room and its time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import structlog

from services.listener.receiving.inbox import Inbox, InboxFullError
from services.listener.receiving.outcomes import StoreOutcome

_log = structlog.get_logger(__name__)


class ArrivingObject:
    """The one object of an association that is coming or being handled.

    Its bytes are taken from the inbox's room as they come, so that all associations together never fill the disk.

    Args:
        inbox: Whose room it takes.
        max_bytes: Most bytes of an object.
        deadline_s: Longest time for one, in seconds.
        clock: Gives monotonic seconds.

    Attributes:
        until: Monotonic seconds by which the object that is coming must be whole; None while none is coming.
        refusal: Why the object is not taken, so that what came after is thrown away; None where it is whole.
    """

    def __init__(self, inbox: Inbox, max_bytes: int, deadline_s: float, clock: Callable[[], float]) -> None:
        self.until: float | None = None
        self.refusal: StoreOutcome | None = None
        self._inbox = inbox
        self._max_bytes = max_bytes
        self._deadline_s = deadline_s
        self._clock = clock
        self._bytes = 0
        self._taken = 0
        self._file: Any = None

    def begin(self) -> None:
        """Note that a message begins."""
        self.discard()
        self._bytes, self.refusal, self.until = 0, None, self._clock() + self._deadline_s

    def open_file(self, **options: Any) -> Any:
        """Open the file that the object is written to, for its owner alone, in the inbox's folder for what arrives.

        Args:
            options: Options of tempfile.NamedTemporaryFile.

        Raises:
            OSError: If the disk does not take it.
        """
        self._file = NamedTemporaryFile(dir=self._inbox.arriving, **options)  # noqa: SIM115 - it outlives this
        return self._file

    def takes(self, size: int) -> bool:
        """Whether so many bytes more are taken; from the first that are not, none is."""
        self._bytes += size
        if self.refusal is None and self._bytes > self._max_bytes:
            self.refusal = StoreOutcome.TOO_LARGE
        if self.refusal is None:
            try:
                self._inbox.take_room(size)
                self._taken += size
            except InboxFullError as error:
                _log.error("there is no room for objects that are sent", reason=str(error))
                self.refusal = StoreOutcome.FULL
        return self.refusal is None

    def end(self) -> None:
        """Note that the message is whole."""
        self.until = None

    def discard(self) -> bool:
        """Remove the object's file, where it is still there, and give its room back; whether there was an object."""
        self._inbox.give_room(self._taken)
        self._taken = 0
        file, self._file = self._file, None
        if file is None:
            return False
        # Each for itself: on a full disk a file does not even close without an error.
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            Path(file.name).unlink(missing_ok=True)
        return True
