"""A batch: lines are read while earlier ones are answered, and each answer goes out when it is there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import anyio
import structlog
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Send

from services.common.http.openapi import ProblemDetails
from services.common.http.problems import Problem
from services.gateway.batches.bounds import ByteBudget
from services.gateway.batches.line_answering import LineAnswering, line_bytes
from services.gateway.batches.line_reader import Line, LineBounds, read_lines
from services.gateway.batches.schemas import BatchCounts, BatchEnd, BatchLineReply, BatchSummary

MEDIA_TYPE: Final = "application/x-ndjson"
_HEADERS: Final = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep answers back until it has many
]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamBounds:
    """Bounds on one batch.

    Attributes:
        lines: What lines are read, and how fast they must come.
        in_flight: Lines that are answered, or wait for their turn, at once.
        send_s: Seconds within which the client must take a line of the reply.
        whole_s: Longest time for a batch, in seconds.
    """

    lines: LineBounds
    in_flight: int
    send_s: float
    whole_s: float


@dataclass(slots=True)
class BatchStream:
    """One batch, from the request's body to the reply's.

    Lines are read as far as there is room for them: so many in flight, and so many bytes of them in all batches. While
    the client does not take its answers none is read, so that nothing piles up here.

    Attributes:
        batch: Id of the batch.
        answering: Answers its lines.
        bounds: What it may take.
        budget: Bytes of lines that all batches hold.
        is_ending: Whether the service is about to end: then no further line is read.
        counts: What became of the lines so far.
    """

    batch: str
    answering: LineAnswering
    bounds: StreamBounds
    budget: ByteBudget
    is_ending: Callable[[], bool] = lambda: False
    counts: BatchCounts = field(default_factory=BatchCounts)
    _sending: anyio.Lock = field(default_factory=anyio.Lock)

    async def run(self, receive: Receive, send: Send) -> BatchSummary | None:
        """Read, answer and reply.

        Returns:
            The summary, as it was sent; None where the client left, or did not take what it asked for.
        """
        begun = False

        async def receive_and_begin() -> Message:
            # Not sooner: a client that asks first whether to go on is told so by the server when it is first read.
            nonlocal begun
            message = await receive()
            if not begun and message["type"] != "http.disconnect":
                begun = True
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            return message

        summary: BatchSummary | None = None
        with suppress(ClientDisconnect, _ReplyNotTakenError):
            summary = await self._answer_all(receive_and_begin, send)
            if not begun:
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self._send(send, BatchEnd(summary=summary).model_dump_json(exclude_none=True).encode() + b"\n")
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        return summary

    async def _answer_all(self, receive: Receive, send: Send) -> BatchSummary:
        room = anyio.Semaphore(self.bounds.in_flight)
        problem: Problem | None = None
        ended: list[Exception] = []
        async with anyio.create_task_group() as tasks:

            async def guarded(line: Line) -> None:
                # Raised below: a task group would wrap it in a group of one.
                try:
                    await self._answer(line, send)
                except (ClientDisconnect, _ReplyNotTakenError) as error:
                    ended.append(error)
                    tasks.cancel_scope.cancel()
                finally:
                    room.release()

            try:
                with anyio.fail_after(self.bounds.whole_s):
                    await room.acquire()
                    async with aclosing(read_lines(receive, self.bounds.lines)) as lines:
                        async for line in lines:
                            self.counts.lines += 1
                            await self.budget.take(_size(line))
                            tasks.start_soon(guarded, line)
                            await room.acquire()
                            if self.is_ending():
                                raise Problem(503, "service-ending", "The service is ending: send the rest again.")
            except Problem as refusal:
                problem = refusal
            except TimeoutError:
                problem = Problem(408, "batch-too-long", f"A batch may take {self.bounds.whole_s:g} seconds.")
            except ClientDisconnect as error:
                ended.append(error)
                tasks.cancel_scope.cancel()
            if not ended and problem is None:
                tasks.start_soon(partial(_watch, receive, ended, tasks.cancel_scope))
                for _ in range(self.bounds.in_flight - 1):
                    await room.acquire()
                tasks.cancel_scope.cancel()
        if ended:
            raise ended[0]
        return self._summary(problem)

    async def _answer(self, line: Line, send: Send) -> None:
        held = _size(line)

        def give_back() -> None:
            nonlocal held
            held, freed = 0, held
            if freed:
                self.budget.give_back(freed)

        try:
            told = await self.answering.answer(line, give_back)
        finally:
            give_back()
        self._count(told)
        await self._send(send, line_bytes(told))

    async def _send(self, send: Send, body: bytes) -> None:
        async with self._sending:
            with anyio.move_on_after(self.bounds.send_s):
                await send({"type": "http.response.body", "body": body, "more_body": True})
                return
        _log.warning("a batch's client does not take its answers")
        raise _ReplyNotTakenError

    def _count(self, told: BatchLineReply) -> None:
        counts = self.counts
        if told.reply is None:
            counts.failed += 1
        elif told.reply.decision == "answer":
            counts.answered += 1
        else:
            counts.deferred += 1
        counts.replayed += told.replayed

    def _summary(self, problem: Problem | None) -> BatchSummary:
        request_id = self.answering.batch.request_id
        told = None if problem is None else ProblemDetails.model_validate(problem.document(request_id))
        return BatchSummary(batch=self.batch, complete=problem is None, counts=self.counts, problem=told)


class _ReplyNotTakenError(Exception):
    """The client reads too slowly, or not at all."""


def _size(line: Line) -> int:
    return len(line.body or b"")


async def _watch(receive: Receive, ended: list[Exception], scope: anyio.CancelScope) -> None:
    """Notice that the client hangs up once its lines are all there."""
    while (await receive())["type"] != "http.disconnect":
        pass
    ended.append(ClientDisconnect())
    scope.cancel()
