"""A bound on retries: a share of the calls, so that an outage is not made worse by those who wait for its end."""

from __future__ import annotations

from collections.abc import Callable


class RetryBudget:
    """Retries that a server may be asked for, a share of the calls to it (the retry budgets of Twitter's Finagle).

    While few calls fail, each is tried again. Where all do, retries would double the load on a server that has too much
    of it, and keep it down: then only so many are made, and the other failures are told at once. stamina and tenacity
    bound the retries of one call and not those of all.

    Args:
        share: Retries that each call earns.
        most: Retries that can be saved up; there are as many at the beginning.
        asked: Called for each retry that is asked for, with whether it is granted.
    """

    def __init__(
        self, share: float = 0.1, most: float = 10.0, asked: Callable[[bool], None] = lambda _granted: None
    ) -> None:
        self._share = share
        self._most = most
        self._asked = asked
        self._left = most

    def earn(self) -> None:
        """Count a call."""
        self._left = min(self._left + self._share, self._most)

    def spend(self) -> bool:
        """Ask for a retry; return whether it may be made."""
        granted = self._left >= 1.0
        if granted:
            self._left -= 1.0
        self._asked(granted)
        return granted
