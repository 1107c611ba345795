"""Batches: windows of lines to POST /vqa/batch over a few connections, each line until it has its outcome."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from trustvqa.client.errors import (
    BusyGatewayError,
    ClientError,
    DeadlineError,
    FailedGatewayError,
    GatewayUnreachableError,
    NotAGatewayError,
    ProblemError,
    problem_error,
)
from trustvqa.client.headers import idempotency_header
from trustvqa.client.pictures import picture_file
from trustvqa.client.questions import VqaQuestion
from trustvqa.client.results import VqaResult
from trustvqa.client.transport.connection import GatewayConnection
from trustvqa.client.transport.patience import Patience, tried

MOST: Final = 64
"""Most questions under way at once."""
_CONNECTIONS: Final = 4  # a gateway gives a client half of its eight places for batches
_LINES: Final = 16  # as many as a gateway answers at once of one batch
_WINDOW_BYTES: Final = 16_000_000
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_FOR_NOW: Final = (
    BusyGatewayError,
    DeadlineError,
    FailedGatewayError,
    GatewayUnreachableError,
    NotAGatewayError,
)
"""Errors of a window; any other is the whole batch's, such as a key that is refused."""
_HEADERS: Final = {"Content-Type": "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The outcome of one question of a batch: a result or an error.

    Attributes:
        id: The question's id, or its number from 0 where it has none.
        result: The result; None where there is an error.
        error: Why there is none.
    """

    id: str
    result: VqaResult | None = None
    error: ClientError | None = None

    def unwrap(self) -> VqaResult:
        """Give the result, or raise the error."""
        if self.result is None:
            raise self.error or ClientError("there is no result")
        return self.result


@dataclass(frozen=True, slots=True)
class _Line:
    """A question that is ready to be sent."""

    id: str
    fields: dict[str, Any]
    file: bytes

    def encoded(self) -> bytes:
        image = base64.b64encode(self.file).decode("ascii")
        return json.dumps({"id": self.id, "image": image, **self.fields}).encode() + b"\n"


class BatchRun:
    """One batch.

    Args:
        connection: The gateway.
        key: The batch's Idempotency-Key.
        concurrency: Questions under way at once.
        deadline_s: Seconds for one question.
    """

    def __init__(self, connection: GatewayConnection, key: str, concurrency: int, deadline_s: float) -> None:
        if not 1 <= concurrency <= MOST:
            raise ValueError(f"concurrency must be from 1 to {MOST}, not {concurrency}")
        self._connection = connection
        self._headers = {**_HEADERS, **idempotency_header(key)}
        self._workers = min(_CONNECTIONS, concurrency)
        self._lines = min(_LINES, -(-concurrency // self._workers))
        self._deadline_s = deadline_s

    async def outcomes(
        self, questions: Iterable[VqaQuestion] | AsyncIterable[VqaQuestion]
    ) -> AsyncGenerator[BatchOutcome, None]:
        """Ask the questions and give their outcomes as they come."""
        source = _Source(questions, self._lines)
        done: asyncio.Queue[BatchOutcome | None] = asyncio.Queue()
        # Bounds what waits to be taken, and not by the time of those that are under way.
        room = asyncio.Semaphore(2 * self._workers * self._lines)
        workers = [asyncio.create_task(self._work(source, done, room)) for _ in range(self._workers)]
        ending = asyncio.create_task(_end(workers, done))
        try:
            while (outcome := await done.get()) is not None:
                yield outcome
                room.release()
            await ending
            for worker in workers:
                worker.result()
        finally:
            for task in (*workers, ending):
                task.cancel()
            await asyncio.gather(*workers, ending, return_exceptions=True)

    async def _work(self, source: _Source, done: asyncio.Queue[BatchOutcome | None], room: asyncio.Semaphore) -> None:
        while window := await source.take():
            pending: dict[str, _Line] = {}
            for each in window:
                await room.acquire()
                if isinstance(each, BatchOutcome):
                    await done.put(each)
                elif each.id in pending:
                    twice = ClientError(f"two questions of the batch have the id {each.id!r}")
                    await done.put(BatchOutcome(each.id, error=twice))
                else:
                    pending[each.id] = each
            if pending:
                await self._answer(pending, done)

    async def _answer(self, pending: dict[str, _Line], done: asyncio.Queue[BatchOutcome | None]) -> None:
        try:
            await tried(lambda within_s: self._send(pending, done, within_s), Patience(self._deadline_s))
        except _LineError as last:
            await self._fail(pending, last.problem, done)
        except _FOR_NOW as error:
            await self._fail(pending, error, done)

    async def _send(self, pending: dict[str, _Line], done: asyncio.Queue[BatchOutcome | None], within_s: float) -> None:
        """Send what has no outcome yet; raises where something is still without one and may be sent again."""
        sent = list(pending.values())

        async def lines() -> AsyncIterator[bytes]:
            for line in sent:
                yield await asyncio.to_thread(line.encoded)

        last: ProblemError | None = None
        is_whole = False
        async with self._connection.reply(
            "POST", "/vqa/batch", within_s, content=lines(), headers=self._headers
        ) as reply:
            async for text in reply.aiter_lines():
                told = _told(text)
                if "summary" in told:
                    is_whole = True
                    continue
                outcome = _outcome(told, sent)
                if outcome.id not in pending:
                    raise NotAGatewayError("a line of the batch was answered twice")
                if (
                    outcome.error is not None
                    and isinstance(outcome.error, ProblemError)
                    and (outcome.error.status in _AGAIN)
                ):
                    last = outcome.error
                    continue
                del pending[outcome.id]
                await done.put(outcome)
        if last is not None and pending:
            raise _LineError(last)
        if pending:
            raise GatewayUnreachableError(
                "the gateway read only a part of the batch" if is_whole else "the batch's reply broke off"
            )

    async def _fail(
        self, pending: dict[str, _Line], error: ClientError, done: asyncio.Queue[BatchOutcome | None]
    ) -> None:
        for line_id in list(pending):
            del pending[line_id]
            await done.put(BatchOutcome(line_id, error=error))


class _LineError(ProblemError):
    """Some lines were refused for now; carries the last of their problems to what decides on the next try."""

    def __init__(self, problem: ProblemError) -> None:
        super().__init__(503, {"detail": problem.detail}, problem.retry_after)
        self.problem = problem


class _Source:
    """The questions, taken by several workers, some at a time and one after the other."""

    def __init__(self, questions: Iterable[VqaQuestion] | AsyncIterable[VqaQuestion], lines: int) -> None:
        self._of_loop = aiter(questions) if isinstance(questions, AsyncIterable) else None
        self._of_thread: Iterator[VqaQuestion] = iter(() if isinstance(questions, AsyncIterable) else questions)
        self._lines = lines
        self._one_by_one = asyncio.Lock()
        self._number = 0
        self._is_over = False

    async def take(self) -> list[_Line | BatchOutcome]:
        """Take the next window: as many as fit; none at the end."""
        window: list[_Line | BatchOutcome] = []
        size = 0
        async with self._one_by_one:
            while not self._is_over and len(window) < self._lines and size < _WINDOW_BYTES:
                if (question := await self._next()) is None:
                    self._is_over = True
                    break
                line = await asyncio.to_thread(_ready, question, str(self._number))
                self._number += 1
                window.append(line)
                size += len(line.file) if isinstance(line, _Line) else 0
        return window

    async def _next(self) -> VqaQuestion | None:
        if self._of_loop is not None:
            return await anext(self._of_loop, None)
        # In a thread: what reads files or a network would hold the loop.
        return await asyncio.to_thread(next, self._of_thread, None)


def _ready(question: VqaQuestion, number: str) -> _Line | BatchOutcome:
    line_id = question.id if question.id is not None else number
    try:
        return _Line(line_id, question.sendable_fields(), picture_file(question.picture))
    except ClientError as error:
        return BatchOutcome(line_id, error=error)


async def _end(workers: list[asyncio.Task[None]], done: asyncio.Queue[BatchOutcome | None]) -> None:
    """Note the end once all have ended, or one has failed."""
    await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
    await done.put(None)


def _told(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise NotAGatewayError("a line of the reply is not what a TrustVQA gateway says")
    return told


def _outcome(told: dict[str, Any], sent: list[_Line]) -> BatchOutcome:
    # By its place: an id that the gateway does not take is not given back.
    place = told.get("line")
    if not isinstance(place, int) or not 1 <= place <= len(sent) or told.get("id") not in (None, sent[place - 1].id):
        raise NotAGatewayError("a line of the reply answers no line that was sent")
    line_id = sent[place - 1].id
    try:
        if told.get("reply") is not None:
            return BatchOutcome(line_id, VqaResult.from_reply(told["reply"], replayed=bool(told.get("replayed"))))
        return BatchOutcome(
            line_id, error=problem_error(int(told["status"]), told.get("problem"), told.get("retry_after"))
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        raise NotAGatewayError("a line of the reply is not what a TrustVQA gateway says") from None
