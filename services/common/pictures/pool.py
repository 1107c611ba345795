"""A pool of worker processes for pictures: bounded in number, memory and time, and killed where one goes beyond.

The libraries' pools do not serve. anyio's workers and Pebble's answer with pickles, which a decoder that was taken over
would forge. After a message that could not be read for want of memory, anyio's go on reading where they are, in the
midst of a stranger's bytes; and a process that is just being started when its request is given up stays, while its
place is free again. What is needed beyond the standard library's fork server is small.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import threading
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, get_args

import structlog

from prompt4trust.errors import PictureError, PictureFault
from services.common.askers import Askers
from services.common.pictures.turns import Turns
from services.common.pictures.worker import LENGTHS, Task, pieces_of, serve

_RETRY_S: Final = 1.0
_MOST_REPLIED: Final = 1 << 28
_READ_AHEAD: Final = 1 << 16
_PRELOADED: Final = "services.common.pictures.preload"
_Reply = tuple[Mapping[str, Any], bytes]
_log = structlog.get_logger(__name__)

# multiprocessing keeps one list of its processes, which starting one looks through: nothing may be closed meanwhile.
_processes = threading.Lock()


class PictureWorkerError(Exception):
    """A worker made a mistake that is not the picture's; the message is its traceback."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Bounds on the work with pictures that nobody has checked.

    Attributes:
        count: Worker processes, and so pictures at once.
        memory: Bytes that each may take beyond what it has when it is idle.
        seconds: Longest time of one picture.
    """

    count: int = 2
    memory: int = 512_000_000
    seconds: float = 10.0


class PicturePool:
    """Does one task in worker processes; an async context manager, or call start and aclose, in one event loop.

    A place in the pool comes free when its process is idle again or gone, never while it still decodes: cancelling
    `run` kills the process, and another takes its place. The workers are forked from a process of their own, which has
    nothing of this one but its environment: no sockets, no memory, no threads.

    Args:
        task: Work on each file.
        limits: The pool's bounds.

    Example:
        async with PicturePool(describe, WorkerLimits()) as pool:
            found, file = await pool.run(data, {"question": "Which side?"})
    """

    def __init__(self, task: Task, limits: WorkerLimits) -> None:
        self.limits = limits
        self._task = task
        self._askers = Askers()
        self._turns = Turns[_Worker](limits.count, lambda worker: not worker.ended.is_set(), self._askers)
        self._keepers: list[asyncio.Task[None]] = []
        self._pids: set[int] = set()

    def start(self) -> None:
        """Start the workers, without waiting for them, in the event loop that runs now."""
        self._keepers = [asyncio.create_task(self._keep()) for _ in range(self.limits.count)]

    async def __aenter__(self) -> Self:
        """Start the workers."""
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the workers."""
        await self.aclose()

    async def aclose(self) -> None:
        """End the workers, at once and whatever they do; without workers do nothing."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def warm(self) -> None:
        """Wait until a worker could begin, so that the first picture is not the one that waits; not for ever."""
        try:
            async with asyncio.timeout(self.limits.seconds):
                self._turns.give(await self._turns.take(""))
        except TimeoutError:
            _log.warning("picture workers are slow to start")

    @property
    def pids(self) -> frozenset[int]:
        """Process ids of the workers that have not ended."""
        return frozenset(self._pids)

    @property
    def idle(self) -> int:
        """Workers that wait for a picture."""
        return self._turns.free

    async def run(self, data: bytes, asked: Mapping[str, Any], client: str = "") -> tuple[Any, bytes]:
        """Work on a file, as soon as a worker is free and it is the client's turn.

        Args:
            data: The file, unchecked.
            asked: Arguments of the task, of what JSON holds.
            client: Who sent it, by whom turns are shared out: see `Turns`.

        Returns:
            The task's result, as JSON holds it, and its bytes.

        Raises:
            PictureError: If the task refused the file, took too long over it, or was ended by it.
            PictureWorkerError: If the task has a mistake.
        """
        found, file, rest = await self.begin(data, asked, client)
        if rest is not None:
            found = {**found, **await rest}
        return found, file

    async def begin(
        self, data: bytes, asked: Mapping[str, Any], client: str = ""
    ) -> tuple[Any, bytes, asyncio.Task[Any] | None]:
        """Work on a file until the task has a first result.

        Args:
            data: As in `run`.
            asked: As in `run`.
            client: As in `run`.

        Returns:
            The first result, its bytes, and the rest of the work, which goes on and fails as this call may; None where
            there is none. Cancelling it kills the process; by itself it ends in time.

        Raises:
            PictureError, PictureWorkerError: As `run`.
        """
        self._askers.note(client)
        worker = await self._turns.take(client)
        told, file = await self._within(worker, worker.ask(data, asked))
        if not told.get("more"):
            return _result(told), file, None
        rest = asyncio.create_task(self._finish(worker))
        # asyncio would complain of an error that nobody has seen.
        rest.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return _result(told), file, rest

    async def _finish(self, worker: _Worker) -> Any:
        told, _ = await self._within(worker, worker.reply())
        return _result(told)

    async def _within(self, worker: _Worker, reply: Awaitable[_Reply]) -> _Reply:
        """Wait for a worker's reply, for as long as a picture may take; then it is free, or gone, unless more comes."""
        try:
            async with asyncio.timeout(self.limits.seconds) as limit:
                told, file = await reply
        except BaseException as error:
            # No await from here on: whatever ends this call, the process ends too, and its keeper waits for that.
            worker.kill()
            if isinstance(error, TimeoutError) and limit.expired():
                raise _too_slow(self.limits.seconds) from None
            if isinstance(error, EOFError | ConnectionError):
                raise _fatal() from None
            raise
        if told.get("last"):
            worker.kill()
        elif not told.get("more"):
            self._turns.give(worker)
        return told, file

    async def _keep(self) -> None:
        """Hold one place: start a worker, and another once that has gone."""
        while True:
            worker = await self._start()
            self._pids.add(worker.pid)
            try:
                self._turns.give(worker)
                await worker.ended.wait()
            finally:
                worker.kill()
                await worker.ended.wait()
                self._turns.drop(worker)
                self._pids.discard(worker.pid)
                await _close(worker)

    async def _start(self) -> _Worker:
        loop = asyncio.get_running_loop()
        while True:
            starting = asyncio.ensure_future(asyncio.to_thread(_started, self._task, self.limits))
            try:
                return _Worker(loop, *await asyncio.shield(starting))
            except asyncio.CancelledError:
                worker = _Worker(loop, *await starting)
                worker.kill()
                await worker.ended.wait()
                await _close(worker)
                raise
            except (OSError, EOFError) as error:
                _log.error("a picture worker cannot be started", reason=str(error))
                await asyncio.sleep(_RETRY_S)


class _Worker:
    """The parent's side of a worker process.

    Args:
        loop: The event loop.
        process: The process, started.
        connection: To it.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, process: multiprocessing.process.BaseProcess, connection: socket.socket
    ) -> None:
        self._loop = loop
        self._process = process
        self._connection = connection
        self.pid = process.pid or 0
        self.ended = asyncio.Event()
        # What has come of a reply is read in one go, and may hold the beginning of the next one.
        self._room = memoryview(bytearray(_READ_AHEAD))
        self._ahead = self._room[:0]
        loop.add_reader(process.sentinel, self._on_end)

    def _on_end(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self.ended.set()

    async def ask(self, data: bytes, asked: Mapping[str, Any]) -> _Reply:
        """Send a file and receive what became of it; raises EOFError or ConnectionError where the process ends."""
        for piece in pieces_of(asked, data):
            await self._loop.sock_sendall(self._connection, piece)
        told, file = await self.reply()
        end = told.get("end")
        return (told, file + data[-end:]) if isinstance(end, int) and end > 0 else (told, file)

    async def reply(self) -> _Reply:
        """Receive the next reply; raises EOFError or ConnectionError where the process ends."""
        size, rest = LENGTHS.unpack(await self._exactly(LENGTHS.size))
        if size + rest > _MOST_REPLIED:
            raise EOFError
        told = json.loads(await self._exactly(size))
        return told, bytes(await self._exactly(rest))

    async def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            if self._ahead:
                taken = min(len(view), len(self._ahead))
                view[:taken], self._ahead = self._ahead[:taken], self._ahead[taken:]
            elif len(view) < _READ_AHEAD:
                self._ahead = self._room[: await self._received(self._room)]
                continue
            else:
                taken = await self._received(view)
            view = view[taken:]
        return data

    async def _received(self, room: memoryview) -> int:
        count = await self._loop.sock_recv_into(self._connection, room)
        if not count:
            raise EOFError
        return count

    def kill(self) -> None:
        """End the process now; `ended` is set once it has gone."""
        if not self.ended.is_set():
            self._process.kill()

    def close(self) -> None:
        """Let go of an ended process; blocks for a moment."""
        self._connection.close()
        with _processes:
            self._process.join()
            self._process.close()


async def _close(worker: _Worker) -> None:
    closing = asyncio.ensure_future(asyncio.to_thread(worker.close))
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await closing  # cancelled while no thread was free, it would never be done
        raise


def _started(task: Task, limits: WorkerLimits) -> tuple[multiprocessing.process.BaseProcess, socket.socket]:
    """Start a worker; takes milliseconds but for the first of this process, which waits for the fork server."""
    context = multiprocessing.get_context("forkserver")
    ours, theirs = socket.socketpair()
    try:
        with _processes, theirs:
            context.set_forkserver_preload([_PRELOADED])
            process = context.Process(
                target=serve, args=(theirs, task, limits.memory, limits.seconds), name="picture-worker", daemon=True
            )
            process.start()
    except BaseException:
        ours.close()
        raise
    ours.setblocking(False)
    return process, ours


def _result(told: Mapping[str, Any]) -> Any:
    if "failure" in told:
        raise PictureWorkerError(told["failure"])
    if "fault" in told:
        fault = told["fault"]
        if fault not in get_args(PictureFault):
            raise PictureWorkerError(f"refused a picture as {fault!r}")
        raise PictureError(fault, str(told["detail"]))
    return told["found"]


def _too_slow(seconds: float) -> PictureError:
    return PictureError(
        "image-too-complex",
        f"The image takes more than {seconds:g} seconds to decode. Save it anew as a plain PNG or JPEG and resend it.",
    )


def _fatal() -> PictureError:
    return PictureError(
        "damaged-image", "The image cannot be decoded: its decoder failed. Export it again and resend it."
    )
