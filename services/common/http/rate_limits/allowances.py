"""How much each caller may ask: by its key's own figures, else by its rights, else by what holds for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from services.common.auth.caller import Caller
from services.common.auth.key import Right
from services.common.rates import read_rate

_BY_RANK: Final = (Right.ADMIN, Right.FEEDBACK, Right.ASK, Right.METRICS)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a caller may ask.

    Attributes:
        name: Whose figures these are: "key", a right, or "default".
        rate: Requests and seconds, or None for no bound.
        concurrent: Most requests that are answered at once, or None for no bound.
    """

    name: str
    rate: tuple[int, int] | None
    concurrent: int | None

    def among(self, processes: int) -> Self:
        """Give what one of several processes answers at once; rates are shared out where they are counted.

        Example:
            >>> Allowance("key", (60, 60), 5).among(2)
            Allowance(name='key', rate=(60, 60), concurrent=2)
        """
        if self.concurrent is None or processes == 1:
            return self
        return replace(self, concurrent=max(1, self.concurrent // processes))


@dataclass(frozen=True, slots=True)
class Allowances:
    """The figures of a service.

    Attributes:
        rate: For whoever has no figure of his own, as "60/minute"; None for no bound.
        concurrent: The same for requests at once.
        rates: Right -> rate of those whose highest right it is.
        concurrents: The same for requests at once.

    Example:
        >>> Allowances("60/minute").of(None)
        Allowance(name='default', rate=(60, 60), concurrent=None)
    """

    rate: str | None = None
    concurrent: int | None = None
    rates: Mapping[str, str] = field(default_factory=dict)
    concurrents: Mapping[str, int] = field(default_factory=dict)

    def of(self, caller: Caller | None) -> Allowance:
        """Give the figures of a caller; of an address where nobody is asked who he is."""
        role = next((right for right in _BY_RANK if caller is not None and right in caller.rights), "")
        rate, concurrent = self.rates.get(role, self.rate), self.concurrents.get(role, self.concurrent)
        name = role if role in self.rates or role in self.concurrents else "default"
        if caller is not None and (caller.rate is not None or caller.concurrent is not None):
            name = "key"
            rate, concurrent = caller.rate or rate, caller.concurrent or concurrent
        return Allowance(name, None if rate is None else read_rate(rate), concurrent)
