"""An answer that is made while a client watches: its steps as they come, as server-sent events (HTML standard, 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from prompt4trust.models import Guidance
from services.gateway.answering.progress import AnswerProgress
from services.gateway.schemas import VqaReply
from services.gateway.settings import GatewaySettings

_STALLED_S = 30.0
"""Longest that a client may take no event."""


@dataclass(frozen=True, slots=True)
class Queued:
    """The question was taken in.

    Attributes:
        place: Its place in line: 1 for the next one, 0 where it is its turn.
    """

    place: int


Step = Queued | Guidance | VqaReply
"""Steps of an answer, the reply the last."""


class WatchedAnswer:
    """An answer in the making, and its steps so far; implements the AnswerProgress protocol.

    Steps are few, so that they need no bound: two places in line, one guidance, the reply.

    Args:
        work: Makes the answer, and tells what it is given of the steps.
    """

    def __init__(self, work: Callable[[AnswerProgress], Coroutine[Any, Any, VqaReply]]) -> None:
        self._steps: list[Step] = []
        self._changed = asyncio.Event()
        self._is_guided = False
        self._task = asyncio.create_task(work(self))
        self._task.add_done_callback(self._end)

    def queued(self, place: int) -> None:
        """Note the question's place in line."""
        self._add(Queued(place))

    def guided(self, guidance: Guidance) -> None:
        """Note the guidance, the first where a method asks for several."""
        if not self._is_guided:
            self._is_guided = True
            self._add(guidance)

    async def begun(self) -> None:
        """Wait until the question is taken in; raises what the work raised if it is not."""
        try:
            await self._changed.wait()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if not self._steps:
            await self._task

    async def steps(self) -> AsyncIterator[Step]:
        """Go through the steps as they come; raises what the work raises."""
        told = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            is_over = self._task.done()
            while told < len(self._steps):
                yield self._steps[told]
                told += 1
            if is_over:
                yield await self._task
                return

    async def reply(self) -> VqaReply:
        """Wait for the reply alone; raises what the work raises."""
        try:
            return await self._task
        except asyncio.CancelledError:
            self.cancel()
            raise

    def cancel(self) -> None:
        """End the work."""
        self._task.cancel()

    def end(self) -> bool:
        """End the work, if it goes on; whether the client left before it was done."""
        if self._task.cancel():
            return True
        return not self._task.cancelled() and isinstance(self._task.exception(), ClientDisconnect)

    def _end(self, task: asyncio.Task[VqaReply]) -> None:
        if not task.cancelled():
            task.exception()  # asyncio would complain of an error that nobody has seen
        self._changed.set()

    def _add(self, step: Step) -> None:
        self._steps.append(step)
        self._changed.set()


class AnswerEvents(EventSourceResponse):
    """The events of a watched answer; ends the work where the client does not stay for it.

    Args:
        answer: The answer.
        events: Its events.
        settings: The gateway's settings.
        left: Called if the client left first.
    """

    def __init__(
        self,
        answer: WatchedAnswer,
        events: AsyncIterator[ServerSentEvent],
        settings: GatewaySettings,
        left: Callable[[], None],
    ) -> None:
        # At its end the service lets answers that have begun come to their own, as those that nobody watches.
        super().__init__(
            events,
            ping=settings.heartbeat_s,
            sep="\n",
            send_timeout=_STALLED_S,
            shutdown_event=anyio.Event(),
            shutdown_grace_period=settings.shutdown_grace_s,
        )
        self._answer = answer
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._answer.end():
                self._left()
