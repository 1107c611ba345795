"""A fair bound on uploads: no client keeps others out by sending slowly."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import anyio

from services.common.fair_queue import FairQueue, Waiting
from services.common.http.problems import Problem
from services.gateway.admission.controlled_delay import ControlledDelay
from services.gateway.errors import BusyError

T = TypeVar("T")

_FEW = 4
"""Uploads that are always taken, so that it shows when decoding is quick again."""
_SMOOTHING = 0.1


@dataclass(eq=False, slots=True)
class Upload:
    """An upload that has a place.

    Attributes:
        client: Who sends it.
        clock: Monotonic seconds.
        receiving: Ends its reception when cancelled; None while, or once, nothing is received.
        received_at: When all of it was there.
    """

    client: str
    clock: Callable[[], float]
    receiving: anyio.CancelScope | None = None
    received_at: float | None = None

    async def receive(self, body: Awaitable[T]) -> T:
        """Wait for the body; until it is there, the place may be given to another client.

        Raises:
            Problem: 408 if the place was given away.
        """
        with anyio.CancelScope() as self.receiving:
            received = await body
            self.receiving = None
            self.received_at = self.clock()
            return received
        self.receiving = None
        raise Problem(
            408,
            "upload-too-slow",
            "Others waited, and of this client's uploads, which had the most places, this one had taken the longest: "
            "send it again, fewer at once.",
        )


@dataclass(eq=False, slots=True)
class _Sender(Waiting):
    since: float = 0.0
    upload: Upload | None = None
    """Its place, once it is called; None where it was called to be turned away."""


class Uploads:
    """Places for uploads: the bodies and undecoded pictures that are held at once.

    A free place goes to who waits and holds the fewest. Where none is free and a client comes that holds at least two
    fewer than another, that one gives up a place: of the uploads that it is still sending, the one that has taken
    longest. Waiting places are shared out alike.

    Where most of those that have a place are there and being decoded, and the line does not end, more comes than can be
    decoded. Who would wait for too long is then turned away, as at the gate; and while decoding takes longer than one
    may wait in a standing line, so is who comes, but for a few. A line behind clients that send slowly is another
    matter: it ends when they do.

    Args:
        places: How many are held at once.
        waiting: How many may wait for a place.
        delay: How long they may.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        places: int,
        *,
        waiting: int = 0,
        delay: ControlledDelay | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = places
        self._max_waiting = waiting
        self._delay = delay or ControlledDelay(0.0, 0.0, clock)
        self._clock = clock
        self._held: list[Upload] = []  # the longest first
        self._queue = FairQueue[_Sender]()
        self._decoding_s = 0.0  # on average of late

    @asynccontextmanager
    async def place(self, client: str) -> AsyncIterator[Upload]:
        """Hold a place for the length of a block.

        Args:
            client: Who sends it: a key's id, or an address.

        Raises:
            BusyError: If all places and waiting places are taken, or no place came free in time.
        """
        if self._is_decoding and self._decoding_s > self._delay.standing_s and len(self._held) >= self._few(client):
            raise BusyError("wait")
        if len(self._held) < self._places:
            upload = self._take(client)
        else:
            upload = await self._wait(client)
        try:
            yield upload
        finally:
            if upload.received_at is not None:
                self._decoding_s += _SMOOTHING * (self._clock() - upload.received_at - self._decoding_s)
            self._held.remove(upload)
            self._call_next()

    def _take(self, client: str) -> Upload:
        upload = Upload(client, self._clock)
        self._held.append(upload)
        return upload

    async def _wait(self, client: str) -> Upload:
        if len(self._queue) >= self._max_waiting:
            self._send_one_away(client)
        waiting = _Sender(client, since=self._clock())
        self._queue.join(waiting)
        self._delay.note(len(self._queue))
        self._make_room_for(client)
        try:
            with anyio.move_on_after(self._delay.longest_s):
                await waiting.called.wait()
        except BaseException:  # cancelled: a place that it was given meanwhile goes to the next
            if waiting.upload is not None:
                self._held.remove(waiting.upload)
                self._call_next()
            raise
        finally:
            self._queue.leave(waiting)
            self._delay.note(len(self._queue))
        if waiting.upload is None:
            raise BusyError("wait")
        return waiting.upload

    def _call_next(self) -> None:
        if len(self._held) >= self._places:
            return
        if self._is_decoding:
            oldest = self._clock() - self._delay.allowed_s
            for late in [each for each in self._queue if each.since < oldest]:
                self._queue.leave(late)
                late.called.set()
        following = self._queue.call(Counter(upload.client for upload in self._held))
        if following is not None:
            following.upload = self._take(following.client)
            following.called.set()

    def _few(self, client: str) -> int:
        """Count the places that are given out all the same: some of them to clients that hold none."""
        return _FEW if any(each.client == client for each in self._held) else 2 * _FEW

    @property
    def _is_decoding(self) -> bool:
        return 2 * sum(each.receiving is not None for each in self._held) < self._places

    def _make_room_for(self, client: str) -> None:
        held = Counter(upload.client for upload in self._held)
        # max takes the first of equals, which has taken longest.
        going = [each for each in self._held if each.receiving is not None and not each.receiving.cancel_called]
        slowest = max(going, key=lambda each: held[each.client], default=None)
        if slowest is not None and slowest.receiving is not None and held[slowest.client] >= held[client] + 2:
            slowest.receiving.cancel()

    def _send_one_away(self, client: str) -> None:
        """Turn away the last of the client that has the most waiting; raise BusyError where that would be this one."""
        last = self._queue.giving_way_to(client)
        if last is None:
            raise BusyError
        self._queue.leave(last)
        last.called.set()
