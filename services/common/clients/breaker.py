"""A server that keeps failing is left alone for a while, so that not every question waits for it in vain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Literal

from prompt4trust.models import TransportError

BreakerState = Literal["closed", "open", "half-open"]


class CircuitBreaker:
    """A circuit breaker (Nygard, "Release It!") around the calls to one server.

    After some failures in a row it is open: calls fail at once, for a pause. Then it is half open: a few calls at a
    time try again. A success closes it, a failure begins the next pause. A failure is a server that cannot be reached,
    is late or replies with 5xx. Any refusal of a request (4xx, 429 among them) shows that the server is alive, and a
    reply that cannot be read says nothing either way.

    Of the libraries `purgatory` 3.0 lets all calls through when half open, as `circuitbreaker` 2.1 does; `pybreaker`
    1.4 has no asyncio; `aiobreaker` was last released in 2021; `fluxgate` 0.9, a beta, bounds the calls when half open,
    but like the others reads a clock of its own.

    Args:
        service: Whose server it is, for errors: "policy" or "downstream".
        failures: Failures in a row that open it.
        pause_s: Length of a pause in seconds.
        probes: Calls at a time while it is half open.
        changed: Called with each new state.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        service: str,
        failures: int,
        pause_s: float,
        *,
        probes: int = 1,
        changed: Callable[[BreakerState], None] = lambda _state: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._limit = failures
        self._pause_s = pause_s
        self._most_probes = probes
        self._changed = changed
        self._clock = clock
        self._failed = 0
        self._open_until: float | None = None  # None: closed
        self._probes = 0

    @property
    def state(self) -> BreakerState:
        """Whether calls are made, are not, or are tried."""
        if self._open_until is None:
            return "closed"
        return "open" if self._clock() < self._open_until else "half-open"

    def check(self) -> None:
        """Check that a call would be made now.

        Raises:
            TransportError: If it would not, with the time after which it may be.
        """
        if self._open_until is None:
            return
        pause_s = self._open_until - self._clock()
        if pause_s <= 0 and self._probes < self._most_probes:
            return
        raise TransportError(
            self._service,
            f"it failed {self._failed} times in a row and is left alone for now",
            retry_after=max(pause_s, 1.0),
        )

    @contextmanager
    def call(self) -> Iterator[None]:
        """Make a call within a block.

        Raises:
            TransportError: If it is not made; or what the block raises.
        """
        self.check()
        is_probe = self._open_until is not None
        if is_probe:
            if not self._probes:
                self._changed("half-open")
            self._probes += 1
        try:
            yield
        except TransportError as error:
            self._note(error, is_probe=is_probe)
            raise
        else:
            self._close()
        finally:
            self._probes -= is_probe

    def _note(self, error: TransportError, *, is_probe: bool) -> None:
        if error.status is None or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._failed += 1
            # Stragglers that were on their way when it opened do not make the pause longer.
            if is_probe or (self._open_until is None and self._failed >= self._limit):
                self._open_until = self._clock() + self._pause_s
                self._changed("open")
        elif error.status >= HTTPStatus.BAD_REQUEST:
            self._close()

    def _close(self) -> None:
        self._failed = 0
        if self._open_until is not None:
            self._open_until = None
            self._changed("closed")
