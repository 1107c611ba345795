"""A fair bound on uploads: no client keeps others out by sending slowly."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from services.common.http.problems import Problem
from services.gateway.errors import BusyError

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Upload:
    """An upload that has a place.

    Attributes:
        client: Who sends it.
        receiving: Ends its reception when cancelled; None while, or once, nothing is received.
    """

    client: str
    receiving: anyio.CancelScope | None = None

    async def receive(self, body: Awaitable[T]) -> T:
        """Wait for the body; until it is there, the place may be given to another client.

        Raises:
            Problem: 408 if the place was given away.
        """
        with anyio.CancelScope() as self.receiving:
            received = await body
            self.receiving = None
            return received
        self.receiving = None
        raise Problem(
            408,
            "upload-too-slow",
            "Others waited, and of this client's uploads, which had the most places, this one had taken the longest: "
            "send it again, fewer at once.",
        )


@dataclass(eq=False, slots=True)
class _Waiting:
    client: str
    called: anyio.Event = field(default_factory=anyio.Event)
    upload: Upload | None = None
    """Its place, once it is called; None where it was called to be turned away."""


class Uploads:
    """Places for uploads: the bodies and undecoded pictures that are held at once.

    A free place goes to who waits and holds the fewest. Where none is free and a client comes that holds at least two
    fewer than another, that one gives up a place: of the uploads that it is still sending, the one that has taken
    longest. Waiting places are shared out alike.

    Args:
        places: How many are held at once.
        waiting: How many may wait for a place.
        max_wait_s: How long they wait, in seconds.
    """

    def __init__(self, places: int, *, waiting: int = 0, max_wait_s: float = 0.0) -> None:
        self._places = places
        self._max_waiting = waiting
        self._max_wait_s = max_wait_s
        self._held: list[Upload] = []  # the longest first
        self._waiting: list[_Waiting] = []  # the longest first

    @asynccontextmanager
    async def place(self, client: str) -> AsyncIterator[Upload]:
        """Hold a place for the length of a block.

        Args:
            client: Who sends it: a key's id, or an address.

        Raises:
            BusyError: If all places and waiting places are taken, or no place came free in time.
        """
        if len(self._held) < self._places:
            upload = self._take(client)
        else:
            upload = await self._wait(client)
        try:
            yield upload
        finally:
            self._held.remove(upload)
            self._call_next()

    def _take(self, client: str) -> Upload:
        upload = Upload(client)
        self._held.append(upload)
        return upload

    async def _wait(self, client: str) -> Upload:
        if len(self._waiting) >= self._max_waiting:
            self._send_one_away(client)
        waiting = _Waiting(client)
        self._waiting.append(waiting)
        self._make_room_for(client)
        try:
            with anyio.move_on_after(self._max_wait_s):
                await waiting.called.wait()
        except BaseException:  # cancelled: a place that it was given meanwhile goes to the next
            if waiting.upload is not None:
                self._held.remove(waiting.upload)
                self._call_next()
            raise
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
        if waiting.upload is None:
            raise BusyError
        return waiting.upload

    def _call_next(self) -> None:
        held = Counter(upload.client for upload in self._held)
        # min and max take the first of equals, which has waited or taken longest.
        following = min(self._waiting, key=lambda each: held[each.client], default=None)
        if following is not None and len(self._held) < self._places:
            self._waiting.remove(following)
            following.upload = self._take(following.client)
            following.called.set()

    def _make_room_for(self, client: str) -> None:
        held = Counter(upload.client for upload in self._held)
        going = [each for each in self._held if each.receiving is not None and not each.receiving.cancel_called]
        slowest = max(going, key=lambda each: held[each.client], default=None)
        if slowest is not None and slowest.receiving is not None and held[slowest.client] >= held[client] + 2:
            slowest.receiving.cancel()

    def _send_one_away(self, client: str) -> None:
        """Turn away the last of the client that has the most waiting; raise BusyError where that would be this one."""
        waiting = Counter(each.client for each in self._waiting)
        last = max(reversed(self._waiting), key=lambda each: waiting[each.client], default=None)
        if last is None or waiting[last.client] < waiting[client] + 2:
            raise BusyError
        self._waiting.remove(last)
        last.called.set()
