"""The gate: who may have an answer made now, who waits for that, and who is better told at once to come back."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import anyio

from prompt4trust.models import TransportError
from services.common.fair_queue import FairQueue, Waiting
from services.gateway.admission.adaptive_limit import Outcome, QuestionLimit
from services.gateway.admission.controlled_delay import ControlledDelay
from services.gateway.admission.return_times import ReturnTimes
from services.gateway.errors import BusyError, ShedReason

_SMOOTHING = 0.1
_PASSING = 9
"""Questions that are let in ahead of a patient one."""


@dataclass(eq=False, slots=True)
class _Question(Waiting):
    since: float = 0.0
    give_up_at: float = math.inf
    refusal: BusyError | None = None
    is_in: bool = False


class Gate:
    """Lets so many questions in at once, some wait, and turns those away early that would wait for too long.

    A free place goes to the client that holds the fewest. A question is turned away when it comes, before its picture
    costs anything, if by the time that answers take now it would wait for longer than is allowed, or have its answer
    after its own deadline. One that waits is turned away once the same has become true of it. Where a place is free
    nobody is turned away, so that no estimate can keep a gateway closed.

    Patient questions, those of batches, stand in a line of their own and are turned away by nothing but their own time.
    A free place is theirs where nobody else waits; and one in ten all the same, so that batches end while others ask
    without a pause. Nobody's wait is reckoned with them.

    Args:
        limit: How many are in at once.
        waiting: How many may wait for a place.
        delay: How long they may.
        returns: When those that are turned away are told to come back.
        shed: Called with the reason whenever one is turned away.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        limit: QuestionLimit,
        *,
        waiting: int = 0,
        delay: ControlledDelay | None = None,
        returns: ReturnTimes | None = None,
        shed: Callable[[ShedReason], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._most_waiting = waiting
        self._delay = delay or ControlledDelay(math.inf, math.inf, clock)
        self._returns = returns or ReturnTimes(1.0, 1.0, clock)
        self._shed = shed
        self._clock = clock
        self._queue = FairQueue[_Question]()
        self._patient = FairQueue[_Question]()
        self._passed_by = 0  # questions let in since one of the patient was, while such waited
        self._held: Counter[str] = Counter()
        self._seconds = 0.0  # that a question is in, on average of late

    @property
    def waiting(self) -> int:
        """Questions that wait for a place."""
        return len(self._queue)

    @property
    def patient_waiting(self) -> int:
        """Patient questions that wait for a place."""
        return len(self._patient)

    @property
    def in_flight(self) -> int:
        """Questions that are in."""
        return self._held.total()

    @property
    def is_free(self) -> bool:
        """Whether somebody who came now would be in at once."""
        return not self._queue and self.in_flight < self._limit.now

    @property
    def is_slack(self) -> bool:
        """Whether nobody waits and at most half of the places are taken."""
        return not self._queue and 2 * self.in_flight <= self._limit.now

    @property
    def limit(self) -> int:
        """How many may be in now."""
        return self._limit.now

    def check(self, client: str, within_s: float = math.inf) -> None:
        """Check that a question would be let in, or may wait, if it came now.

        Args:
            client: Who asks.
            within_s: Time that its answer may take, in seconds.

        Raises:
            BusyError: If it would be turned away.
        """
        if reason := self._reason_against(client, within_s):
            raise self._refusal(reason)

    @asynccontextmanager
    async def place(
        self, client: str = "", within_s: float = math.inf, queued: Callable[[int], None] = lambda _: None
    ) -> AsyncIterator[None]:
        """Hold a place for the length of a block.

        Args:
            client: Who asks: a key's id, or an address.
            within_s: Time that is left for the answer, in seconds.
            queued: Told its place in line, 1 for the next one, where it has to wait; and 0 once it is let in.

        Raises:
            BusyError: If it is turned away.
        """
        await self._enter(client, within_s, queued)
        async with self._held_place(client):
            yield

    @asynccontextmanager
    async def patient_place(self, client: str, within_s: float) -> AsyncIterator[None]:
        """Hold a place for the length of a block, for a question of a batch: it waits behind those of people.

        How many of them wait is for the batches to bound.

        Args:
            client: Whose batch it is; not a name under which anything else is asked.
            within_s: Longest wait for the place, in seconds.

        Raises:
            BusyError: If no place came free in that time.
        """
        await self._enter_patiently(client, within_s)
        async with self._held_place(client):
            yield

    @asynccontextmanager
    async def _held_place(self, client: str) -> AsyncIterator[None]:
        began, measurement = self._clock(), self._limit.measurement
        is_full = self.in_flight >= self._limit.now
        outcome: Outcome = "late"  # what a cancellation means: it took too long for somebody
        try:
            yield
            outcome = "answered"
        except Exception as error:
            outcome = _outcome(error)
            raise
        finally:
            seconds = self._clock() - began
            if outcome in ("answered", "late"):
                self._seconds += (seconds - self._seconds) * (_SMOOTHING if self._seconds else 1.0)
            is_full = is_full and self.in_flight >= self._limit.now
            self._leave(client)
            if is_full and measurement == self._limit.measurement:
                self._limit.ended(outcome, seconds)
            self._call()

    async def _enter(self, client: str, within_s: float, queued: Callable[[int], None]) -> None:
        if reason := self._reason_against(client, within_s):
            raise self._refusal(reason)
        if self.is_free:
            self._held[client] += 1
            queued(0)
            return
        place = self._queue.ahead_of(client, self._held) + 1
        if len(self._queue) >= self._most_waiting and (last := self._queue.giving_way_to(client)) is not None:
            self._send_away(last, "full")
        now = self._clock()
        question = _Question(client, since=now, give_up_at=now + within_s)
        self._queue.join(question)
        self._delay.note(len(self._queue))
        queued(place)
        try:
            # The longest of all waits: whose turn is long in coming is looked at whenever a place comes free.
            with anyio.move_on_after(min(self._delay.longest_s, within_s)):
                await question.called.wait()
        except BaseException:  # cancelled: a place that it was given meanwhile goes to the next
            if question.is_in:
                self._leave(client)
                self._call()
            raise
        finally:
            self._queue.leave(question)
            self._delay.note(len(self._queue))
        if not question.is_in:
            raise question.refusal or self._refusal("wait")
        queued(0)

    async def _enter_patiently(self, client: str, within_s: float) -> None:
        if self.is_free and not self._patient:
            self._held[client] += 1
            return
        question = _Question(client, since=self._clock())
        self._patient.join(question)
        try:
            with anyio.move_on_after(within_s):
                await question.called.wait()
        except BaseException:  # cancelled: see _enter
            if question.is_in:
                self._leave(client)
                self._call()
            raise
        finally:
            self._patient.leave(question)
        if not question.is_in:
            raise self._refusal("wait")

    def _reason_against(self, client: str, within_s: float) -> ShedReason | None:
        if self.is_free:
            return None
        if len(self._queue) >= self._most_waiting and self._queue.giving_way_to(client) is None:
            return "full"
        wait_s = (self._queue.ahead_of(client, self._held) + 1) * self._seconds_each
        if wait_s > self._delay.allowed_s:
            return "wait"
        return "deadline" if wait_s + self._seconds > within_s else None

    @property
    def _seconds_each(self) -> float:
        return self._seconds / self._limit.now

    def _refusal(self, reason: ShedReason) -> BusyError:
        self._shed(reason)
        return BusyError(reason, self._returns.next(len(self._queue), self._seconds_each))

    def _send_away(self, question: _Question, reason: ShedReason) -> None:
        self._queue.leave(question)
        question.refusal = self._refusal(reason)
        question.called.set()

    def _leave(self, client: str) -> None:
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]

    def _call(self) -> None:
        """Let in who is next while there is room, once those have gone for whom it is too late."""
        now, allowed_s = self._clock(), self._delay.allowed_s
        for each in self._queue:
            if now - each.since > allowed_s:
                self._send_away(each, "wait")
            elif each.give_up_at - now < self._seconds:
                self._send_away(each, "deadline")
        while self.in_flight < self._limit.now and (question := self._next()) is not None:
            self._held[question.client] += 1
            question.is_in = True
            question.called.set()
        self._delay.note(len(self._queue))

    def _next(self) -> _Question | None:
        """Take out of the lines whose turn it is."""
        if self._queue and not (self._patient and self._passed_by >= _PASSING):
            self._passed_by = self._passed_by + 1 if self._patient else 0
            return self._queue.call(self._held)
        self._passed_by = 0
        return self._patient.call(self._held)


def _outcome(error: Exception) -> Outcome:
    if not isinstance(error, TransportError) or error.service != "downstream":
        return "failed"
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return "refused"
    return "late" if error.timed_out else "failed"
