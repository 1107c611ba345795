"""A line of those that wait, for a place or for a worker, shared out among clients."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar


@dataclass(eq=False, slots=True)
class Waiting:
    """Somebody in the line.

    Attributes:
        client: Who it is.
        called: Set when the wait is over, with what was waited for or without.
    """

    client: str
    called: asyncio.Event = field(default_factory=asyncio.Event)


W = TypeVar("W", bound=Waiting)


def _anybody(_: str) -> bool:
    return True


class FairQueue(Generic[W]):
    """The line: each client's turn comes as if the others were not many.

    A turn goes to the client that holds the fewest, of equals to the one that had its turn longest ago. Where the line
    is full, the client that has the most in it makes room for one that has at least two fewer.
    """

    def __init__(self) -> None:
        self._waiting: list[W] = []  # the longest first
        self._turns: dict[str, int] = {}  # of those who wait or hold: number of the last turn
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[W]:
        """Go through a copy, the longest first."""
        return iter(tuple(self._waiting))

    def join(self, waiting: W) -> None:
        """Stand at the end."""
        self._waiting.append(waiting)

    def leave(self, waiting: W) -> None:
        """Leave the line; nothing happens to who has left it."""
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def call(self, held: Mapping[str, int], may: Callable[[str], bool] = _anybody) -> W | None:
        """Take out whose turn it is; None where nobody waits, or nobody who may.

        Args:
            held: Client -> places that it holds; 0 for clients that are not in it.
            may: Whether a client may have a turn now.
        """
        turns = self._turns
        # min takes the first of equals: the one that has waited longest.
        called = min(
            (each for each in self._waiting if may(each.client)),
            key=lambda each: (held.get(each.client, 0), turns.get(each.client, 0)),
            default=None,
        )
        for client in turns.keys() - held.keys() - {each.client for each in self._waiting}:
            del turns[client]
        if called is not None:
            self._count += 1
            turns[called.client] = self._count
            self.leave(called)
        return called

    def giving_way_to(self, client: str) -> W | None:
        """Find who has to make room for a client where the line is full; None where the client has to go itself."""
        waiting = Counter(each.client for each in self._waiting)
        last = max(reversed(self._waiting), key=lambda each: waiting[each.client], default=None)
        return None if last is None or waiting[last.client] < waiting[client] + 2 else last

    def ahead_of(self, client: str, held: Mapping[str, int]) -> int:
        """Count those whose turn comes before that of a client that would join now.

        Args:
            client: Who would join.
            held: Client -> places that it holds.
        """
        waiting = Counter(each.client for each in self._waiting)
        own = held.get(client, 0) + waiting[client]
        # Each other client has turns until it holds as many as this one will.
        others = (min(count, max(own - held.get(name, 0), 0)) for name, count in waiting.items() if name != client)
        return waiting[client] + sum(others)
