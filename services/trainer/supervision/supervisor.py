"""Supervision of runs: they are started in their turn, watched, stopped when asked, and accounted for."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import structlog
from anyio.abc import TaskGroup

from services.trainer import states
from services.trainer.errors import ExecutorError, QueueFullError, TransitionError
from services.trainer.executors.base import Executor, JobState, Launch
from services.trainer.run_files.progress import read_progress
from services.trainer.run_files.records import FOREGROUND, STATUSES, RunRecord, RunStore, Status
from services.trainer.supervision.foreground import settle

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what is done at once, and how often runs are looked at.

    Attributes:
        slots: Runs at work at once.
        waiting: Runs that may wait for their turn.
        grace_s: Seconds that a run gets to stop by itself.
        poll_s: Seconds between two looks at a run at work.
        recount_s: Seconds between two counts of all runs, those of commands in terminals included.
    """

    slots: int = 1
    waiting: int = 16
    grace_s: float = 7.0
    poll_s: float = 0.5
    recount_s: float = 15.0


class RunSupervisor:
    """The queue of runs and the watch over those at work. All its methods belong to one event loop.

    The records on disk are what counts: after a restart it takes up the same queue and the same jobs.
    Use `open_supervisor`.

    Args:
        store: The runs on record.
        executor: Name of the one that new work is given to.
        executors: Gives the executor of a name; work that was begun before the settings changed has another one. May
            raise ExecutorError.
        launch: Describes the job of a run; may raise OSError or ExecutorError.
        limits: The bounds.
        tasks: The group that the watching runs in.
        counted: Called with the number of runs in each state, and of those that wait here.
        now: The time of day.
    """

    def __init__(
        self,
        store: RunStore,
        executor: str,
        executors: Callable[[str], Executor],
        launch: Callable[[RunRecord], Launch],
        limits: Limits,
        tasks: TaskGroup,
        *,
        counted: Callable[[dict[Status, int], int], None] = lambda _states, _waiting: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self.limits = limits
        self._executor = executor
        self._executors = executors
        self._launch = launch
        self._tasks = tasks
        self._counted = counted
        self._now = now
        self._queue: deque[str] = deque()
        self._attended: dict[str, anyio.Event] = {}
        self._admission = asyncio.Lock()
        self._changed = anyio.Event()

    async def adopt(self) -> None:
        """Take up what an earlier process of the service left: runs at work, and the queue in its order."""
        records = await asyncio.to_thread(self.store.all)
        for record in records:
            if record.status == "running" and record.executor != FOREGROUND:
                _log.info("run adopted", run=record.id, executor=record.executor)
                self._attend(record.id)
        waiting = [record for record in records if record.status == "queued"]
        waiting.sort(key=lambda record: (record.queued or record.created, record.id))
        self._queue.extend(record.id for record in waiting)
        self._dispatch()
        self._tasks.start_soon(self._keep_count)

    def position(self, run_id: str) -> int | None:
        """Count places in the queue: 1 for the next; None for a run that does not wait."""
        return self._queue.index(run_id) + 1 if run_id in self._queue else None

    async def submit(self, make: Callable[[], RunRecord]) -> RunRecord:
        """Take a new run in.

        Args:
            make: Checks the request, prepares the run's folder and describes the run; called in a thread, and never
                twice at a time.

        Returns:
            Its record.

        Raises:
            QueueFullError: If as many wait as may.
            Exception: Whatever make raises.
        """
        async with self._admission:
            self._check_room()
            record = await asyncio.to_thread(make)
            await asyncio.to_thread(self.store.create, record)
            self._queue.append(record.id)
            self._changed.set()
        self._dispatch()
        return record

    async def cancel(self, run_id: str) -> RunRecord:
        """Have a run stop: at once if it waits, else as soon as it can; watching sees to that.

        Raises:
            UnknownRunError: If there is none.
            TransitionError: If it is not queued or running, or belongs to a command in a terminal.
        """
        record = await self.read(run_id)
        if record.executor == FOREGROUND and record.status == "running":
            raise TransitionError(f"run {run_id} is at work in a terminal: stop it there with Ctrl-C")
        if run_id in self._queue:
            self._queue.remove(run_id)
            return await self._update(run_id, lambda run: states.drop(run, now=self._now()))
        record = await self._update(run_id, states.ask_to_stop)
        if run_id in self._attended:
            self._attended[run_id].set()
        return record

    async def resume(self, run_id: str, make: Callable[[RunRecord], None]) -> RunRecord:
        """Put a run that failed or was cancelled at the end of the queue.

        Args:
            run_id: The run.
            make: Checks that it can go on, and makes ready for it; called in a thread.

        Raises:
            UnknownRunError: If there is none.
            TransitionError: If it neither failed nor was cancelled.
            QueueFullError: If as many wait as may.
            Exception: Whatever make raises.
        """
        async with self._admission:
            self._check_room()
            record = await self.read(run_id)
            states.resume(record, now=self._now())  # raises before anything is made ready
            await asyncio.to_thread(make, record)
            record = await self._update(run_id, lambda run: states.resume(run, now=self._now()))
            self._queue.append(run_id)
        self._dispatch()
        return record

    async def read(self, run_id: str) -> RunRecord:
        """Read a run's record, true to what its process does.

        Raises:
            UnknownRunError: If there is none.
        """
        return await asyncio.to_thread(lambda: settle(self.store, self.store.read(run_id), self._now()))

    async def list(self) -> list[RunRecord]:
        """Read all runs' records, the newest first."""
        return await asyncio.to_thread(lambda: [settle(self.store, each, self._now()) for each in self.store.all()])

    # --- One run ------------------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        while self._queue and len(self._attended) < self.limits.slots:
            self._attend(self._queue.popleft())

    def _attend(self, run_id: str) -> None:
        self._attended[run_id] = anyio.Event()
        self._tasks.start_soon(self._see_through, run_id)

    async def _see_through(self, run_id: str) -> None:
        try:
            record = await self.read(run_id)
            if record.status == "queued":
                record = await self._start(record)
            if record.status == "running":
                await self._watch(record)
        except Exception as error:
            # One run's trouble is not the others': its record stays as it is, and a restart takes it up again.
            _log.error("run no longer watched", run=run_id, exc_info=error)
        finally:
            del self._attended[run_id]
            self._dispatch()

    async def _start(self, record: RunRecord) -> RunRecord:
        try:
            launch = await asyncio.to_thread(self._launch, record)
            handle = await self._executors(self._executor).start(launch)
        except (ExecutorError, OSError) as error:
            reason = str(error)
            _log.warning("run not started", run=record.id, reason=reason)
            return await self._insist(record.id, lambda run: states.give_up(run, error=reason, now=self._now()))
        _log.info("run started", run=record.id, executor=self._executor)
        return await self._insist(
            record.id, lambda run: states.begin(run, executor=self._executor, handle=handle, now=self._now())
        )

    async def _watch(self, record: RunRecord) -> None:
        complained = ""
        while True:
            try:
                executor = self._executors(record.executor or self._executor)
                if record.cancelling:
                    await executor.stop(record.handle or "", self.limits.grace_s)
                job = await executor.state(record.handle or "")
                if job.kind != "running":
                    # First of all, so that nothing of this attempt can get in the way of the next.
                    await executor.forget(record.handle or "")
                    break
            except ExecutorError as error:
                if str(error) != complained:
                    _log.warning("run cannot be looked at; trying on", run=record.id, reason=str(error))
                complained = str(error)
            woken = self._attended[record.id]
            with anyio.move_on_after(self.limits.poll_s):
                await woken.wait()
            if woken.is_set():
                self._attended[record.id] = anyio.Event()
                record = await asyncio.to_thread(self.store.read, record.id)
        await self._end(record, job)

    async def _end(self, record: RunRecord, job: JobState) -> None:
        progress = await asyncio.to_thread(read_progress, self.store.folder(record.id))

        def conclude(run: RunRecord) -> RunRecord:
            status, error = states.judge(job, progress, cancelling=run.cancelling)
            return states.end(run, status=status, error=error, now=self._now())

        ended = await self._insist(record.id, conclude)
        _log.info("run ended", run=record.id, status=ended.status, reason=ended.error)

    async def _update(self, run_id: str, change: Callable[[RunRecord], RunRecord]) -> RunRecord:
        record = await asyncio.to_thread(self.store.update, run_id, change)
        self._changed.set()
        return record

    async def _insist(self, run_id: str, change: Callable[[RunRecord], RunRecord]) -> RunRecord:
        # What has happened to a job must get on record: a full disk or a volume that is away is waited for.
        complained = False
        while True:
            try:
                return await self._update(run_id, change)
            except OSError as error:
                if not complained:
                    _log.error("run.json cannot be written; trying on", run=run_id, reason=str(error))
                complained = True
                await anyio.sleep(self.limits.poll_s)

    def _check_room(self) -> None:
        if len(self._queue) >= self.limits.waiting and len(self._attended) >= self.limits.slots:
            raise QueueFullError

    async def _keep_count(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                found = Counter(record.status for record in await self.list())
                self._counted({status: found[status] for status in STATUSES}, len(self._queue))
            with anyio.move_on_after(self.limits.recount_s):
                await self._changed.wait()
            self._changed = anyio.Event()


@asynccontextmanager
async def open_supervisor(make: Callable[[TaskGroup], RunSupervisor]) -> AsyncIterator[RunSupervisor]:
    """Have runs supervised for the length of a block; afterwards they go on, unwatched.

    Args:
        make: Makes the supervisor.

    Yields:
        It, with what an earlier process left taken up.
    """
    async with anyio.create_task_group() as tasks:
        supervisor = make(tasks)
        await supervisor.adopt()
        try:
            yield supervisor
        finally:
            tasks.cancel_scope.cancel()
