"""The keys in force: read again when their file changes, and never lost when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import structlog

from services.common.auth.errors import KeysError
from services.common.auth.key import Key, id_of, is_of
from services.common.auth.key_file import read_keys

_log = structlog.get_logger(__name__)


class Refusal(StrEnum):
    """Reason for which a text is not accepted as a key."""

    MISSING = "missing"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


class Keyring:
    """The keys of a file that a service takes.

    Args:
        path: The file.
        service: The service's name; keys for other services do not count.
        now: The time.
        check_every_s: Seconds between two looks at whether the file has changed.

    Raises:
        KeysError: If the file cannot be read.
    """

    def __init__(
        self,
        path: Path,
        service: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        check_every_s: float = 1.0,
    ) -> None:
        self._path = path
        self._service = service
        self._now = now
        self._check_every_s = check_every_s
        self._stamp = self._look()
        self._keys = self._read()
        self.problem: str | None = None
        """Why the file cannot be read at the moment; the keys that were read last are in force meanwhile."""

    @property
    def in_force(self) -> int:
        """How many keys are accepted now."""
        return sum(not key.has_expired(self._now()) for key in self._keys.values())

    def find(self, text: str | None) -> Key | Refusal:
        """Find the key that a text is.

        Args:
            text: What was sent, or None.

        Returns:
            The key, or why there is none. Only who holds a key's secret learns that it has expired.
        """
        if text is None:
            return Refusal.MISSING
        key = self._keys.get(id_of(text) or "")
        # Asked in this order, so that an unknown id takes as long as a wrong secret.
        if not is_of(text, key) or key is None:
            return Refusal.UNKNOWN
        return Refusal.EXPIRED if key.has_expired(self._now()) else key

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follow the file for the length of a block. Requests never wait for this, nor does the event loop."""
        following = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._check_every_s)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Read the file if it has changed. One that is broken or gone changes nothing but what is said of it."""
        # The stamp is taken first: a file that changes while it is read is read again next time.
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            keys = self._read()
        except KeysError as error:
            self.problem = str(error)
            _log.error("keys not read; those before stay in force", reason=str(error), keys=len(self._keys))
            return
        before, self._keys, self.problem = self._keys.keys(), keys, None
        added, removed = sorted(keys.keys() - before), sorted(before - keys.keys())
        _log.info("keys read", keys=len(keys), added=added, removed=removed)

    def _read(self) -> dict[str, Key]:
        found = read_keys(self._path).keys
        return {key.id: key for key in found if key.services is None or self._service in key.services}

    def _look(self) -> object:
        try:
            status = self._path.stat()
        except OSError as error:
            return type(error)
        return status.st_ino, status.st_mtime_ns, status.st_size
