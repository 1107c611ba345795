"""Prepared pictures, kept for a while: the next question about the same file finds its picture ready.

Several questions are asked of one picture, a batch goes through them by picture, and a retry sends the same once more.
What is kept is what goes to the models and what pictures are compared by, in this process's memory alone: not the
client's file, and nothing that was asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import anyio.to_thread

from prompt4trust.pictures import PREPARATION_VERSION, PreparedPicture

Found = Literal["made", "kept", "awaited"]
"""Where a picture came from: prepared for this question, kept from an earlier one, or being prepared for another."""

_BESIDE: Final = 16_000
"""Bytes that a picture's description and its place here take besides the file."""
_LARGE: Final = 1_000_000
"""Bytes that take a millisecond or more to digest."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file's picture, made ready.

    Attributes:
        picture: What goes to the models.
        seen: Descriptor's id -> what the picture looks like to it, as JSON holds it: a task that all who need it wait
            for, none of whom may cancel it; None where it was not looked at.
    """

    picture: PreparedPicture
    seen: asyncio.Task[Mapping[str, Any]] | None

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, about."""
        return len(self.picture.file) + _BESIDE


@dataclass(slots=True)
class _Kept:
    prepared: Prepared
    until: float


_Name = tuple[str, bytes]
"""Whose picture it is, and its fingerprint."""
_Begun = tuple[_Name, str]
"""A picture that is being prepared, and the client whose turn it waits for."""


class KeptPictures:
    """Prepared pictures by the file and all that their preparation depends on, each for whoever sent the file.

    Nobody finds another's: how soon a reply comes would tell who has a file whether somebody else asked about it. Where
    there is no room, who holds most gives up what it used longest ago, so that a batch of thousands leaves others'
    pictures where they are. For use in one event loop, whose clock it goes by.

    Args:
        most_bytes: Bytes of memory that they take together.
        seconds: How long each is kept from its preparation on, used or not; then it is let go of.
        counted: Told of each picture that was asked for.

    Example:
        pictures = KeptPictures(32_000_000, 300.0)
        prepared = await pictures.get("key-7", await fingerprint(file, asked), partial(prepare, file, asked))
    """

    def __init__(self, most_bytes: int, seconds: float, counted: Callable[[Found], None] = lambda _: None) -> None:
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._counted = counted
        self._by_age: dict[_Name, _Kept] = {}
        self._by_owner: dict[str, OrderedDict[bytes, int]] = {}
        self._bytes: dict[str, int] = {}
        self._begun: dict[_Begun, asyncio.Future[Prepared | None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that are taken, about."""
        return sum(self._bytes.values())

    @property
    def count(self) -> int:
        """Pictures that are kept."""
        return len(self._by_age)

    async def get(
        self, owner: str, fingerprint: bytes, prepare: Callable[[], Awaitable[Prepared]], *, client: str = ""
    ) -> Prepared:
        """Find a picture, or prepare it; of two who ask for it at once the second waits for the first.

        Args:
            owner: Who sent the file.
            fingerprint: Of the file and what its preparation depends on; see `fingerprint`.
            prepare: Prepares it.
            client: Whose turn it is prepared in; nobody waits for another's: a batch's lines have a queue of their own,
                and a person who asks beside it would stand in that.

        Raises:
            Exception: What `prepare` raises; it is kept of nothing that failed.
        """
        name = owner, fingerprint
        if (kept := self._find(name)) is not None:
            self._counted("kept")
            return kept
        # Once: where the first one's fails, or is given up, all who waited prepare it as if there had been no other.
        begun = self._begun.get((name, client))
        if begun is not None and (awaited := await asyncio.shield(begun)) is not None:
            self._counted("awaited")
            return awaited
        self._counted("made")
        return await self._prepare((name, client), prepare)

    async def _prepare(self, at: _Begun, prepare: Callable[[], Awaitable[Prepared]]) -> Prepared:
        begun: asyncio.Future[Prepared | None] = asyncio.get_running_loop().create_future()
        self._begun.setdefault(at, begun)
        prepared = None
        try:
            prepared = await prepare()
            self._keep(at[0], prepared)
            return prepared
        finally:
            begun.set_result(prepared)
            if self._begun.get(at) is begun:
                del self._begun[at]

    def clear(self) -> None:
        """Let go of all of them."""
        for name in tuple(self._by_age):
            self._forget(name)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _find(self, name: _Name) -> Prepared | None:
        kept = self._by_age.get(name)
        # A busy loop is late with its timers.
        if kept is None or kept.until <= asyncio.get_running_loop().time():
            return None
        owner, fingerprint = name
        self._by_owner[owner].move_to_end(fingerprint)
        return kept.prepared

    def _keep(self, name: _Name, prepared: Prepared) -> None:
        self._forget(name)
        if prepared.size > self._most_bytes or _has_failed(prepared.seen):
            return
        while self.held_bytes + prepared.size > self._most_bytes:
            most = max(self._bytes, key=lambda owner: self._bytes[owner])
            self._forget((most, next(iter(self._by_owner[most]))))
        owner, fingerprint = name
        loop = asyncio.get_running_loop()
        self._by_age[name] = _Kept(prepared, loop.time() + self._seconds)
        self._by_owner.setdefault(owner, OrderedDict())[fingerprint] = prepared.size
        self._bytes[owner] = self._bytes.get(owner, 0) + prepared.size
        if prepared.seen is not None:
            prepared.seen.add_done_callback(lambda seen: self._forget_failed(name, seen))
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._forget_late)

    def _forget_failed(self, name: _Name, seen: asyncio.Task[Mapping[str, Any]]) -> None:
        kept = self._by_age.get(name)
        if kept is not None and kept.prepared.seen is seen and _has_failed(seen):
            self._forget(name)

    def _forget(self, name: _Name) -> None:
        if self._by_age.pop(name, None) is None:
            return
        owner, fingerprint = name
        own = self._by_owner[owner]
        self._bytes[owner] -= own.pop(fingerprint)
        if not own:
            del self._by_owner[owner], self._bytes[owner]

    def _forget_late(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._by_age:
            name, kept = next(iter(self._by_age.items()))  # the oldest: all are kept for the same time
            if kept.until > loop.time():
                self._timer = loop.call_at(kept.until, self._forget_late)
                return
            self._forget(name)


def _has_failed(seen: asyncio.Task[Mapping[str, Any]] | None) -> bool:
    return seen is not None and seen.done() and (seen.cancelled() or seen.exception() is not None)


async def fingerprint(file: bytes, asked: Mapping[str, Any]) -> bytes:
    """Digest a file and all that its preparation depends on.

    Args:
        file: The client's file.
        asked: Arguments of the preparation, as JSON holds them: limits, declared type and name, frame and window, and
            what describes it.

    Returns:
        SHA-256: who could find two files of one digest could as well forge signatures.
    """
    if len(file) > _LARGE:
        return await anyio.to_thread.run_sync(_digest, file, asked)
    return _digest(file, asked)


def _digest(file: bytes, asked: Mapping[str, Any]) -> bytes:
    how = json.dumps([PREPARATION_VERSION, asked], sort_keys=True).encode()
    return hashlib.sha256(hashlib.sha256(how).digest() + hashlib.sha256(file).digest()).digest()
