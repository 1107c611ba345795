"""Wrong keys, counted: who shows many is answered late and told to stay away; a right one is let in.

A key's secret has 256 random bits, which nobody finds by trying, at any rate. What is slowed down here is the work and
the noise that trying makes. So a right key is let in at once whoever guesses beside it, behind the same proxy or at the
very same key: nobody can lock out another.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_PUBLIC_PART: Final = len("tvqa_00000000")


@dataclass(slots=True)
class _Tries:
    count: float
    at: float


class Guesses:
    """Wrong credentials by address, and by the public part of the key that they pretend to be.

    Args:
        allowed: Wrong ones that are usual, before an answer is late.
        forgiven_per_s: Wrong ones that are forgotten each second.
        longest_s: Longest time that a client is told to stay away, in seconds.
        known: Most addresses and keys that are remembered.
        clock: Monotonic seconds.

    Example:
        >>> guesses = Guesses(allowed=2, clock=lambda: 0.0)
        >>> [guesses.note("192.0.2.1", "tvqa_00000000_x") for _ in range(5)]
        [0.0, 0.0, 1.0, 2.0, 4.0]
    """

    def __init__(
        self,
        allowed: float = 20.0,
        forgiven_per_s: float = 0.2,
        longest_s: float = 60.0,
        known: int = 8192,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = allowed
        self._forgiven_per_s = forgiven_per_s
        self._longest_s = longest_s
        self._known = known
        self._clock = clock
        self._tries: OrderedDict[bytes, _Tries] = OrderedDict()  # the one longest not seen first

    def __len__(self) -> int:
        return len(self._tries)

    def note(self, address: str, text: str) -> float:
        """Note a wrong credential.

        Args:
            address: The address that it came from.
            text: The credential; a hash of a key's public part is kept.

        Returns:
            Seconds for which its sender is to stay away; 0 while that is usual.
        """
        most = self._more(b"a" + address.encode("utf-8", "replace"))
        if text.startswith("tvqa_"):
            most = max(most, self._more(b"k" + text[:_PUBLIC_PART].encode("utf-8", "replace")))
        beyond = most - self._allowed
        return 0.0 if beyond <= 0 else min(self._longest_s, 2.0 ** min(beyond - 1, 32))

    def _more(self, place: bytes) -> float:
        name, now = hashlib.sha256(place).digest()[:16], self._clock()
        tries = self._tries.pop(name, None) or _Tries(0.0, now)
        tries.count = max(0.0, tries.count - self._forgiven_per_s * (now - tries.at)) + 1
        tries.at = now
        self._tries[name] = tries
        if len(self._tries) > self._known:
            self._tries.popitem(last=False)
        return tries.count
