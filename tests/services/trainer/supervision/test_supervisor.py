"""Supervision where things go wrong: engines that are away, disks that are full, jobs that will not stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from services.trainer.errors import ExecutorError
from services.trainer.executors.base import JobState, Launch
from services.trainer.run_files.records import RunRecord, RunStore, Status
from services.trainer.supervision.supervisor import Limits, RunSupervisor, open_supervisor
from tests.support.waiting import until

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LIMITS = Limits(slots=1, waiting=2, grace_s=1, poll_s=0.01, recount_s=0.01)


class Engine:
    """An executor in memory; what is put into `troubles` is raised once, by the method it is named after."""

    name = "engine"

    def __init__(self) -> None:
        self.jobs: dict[str, JobState] = {}
        self.troubles: list[str] = []
        self.calls: list[str] = []

    async def start(self, run: Launch) -> str:
        self._note("start")
        self.jobs[run.run_id] = JobState("running")
        return run.run_id

    async def state(self, handle: str) -> JobState:
        self._note("state")
        return self.jobs.get(handle, JobState("gone"))

    async def stop(self, handle: str, grace_s: float) -> None:
        self._note("stop")
        self.jobs[handle] = JobState("exited", 130)

    async def forget(self, handle: str) -> None:
        self._note("forget")
        self.jobs.pop(handle, None)

    async def close(self) -> None:
        pass

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call in self.troubles:
            self.troubles.remove(call)
            raise ExecutorError(f"{call}: the engine is away")


class FullDisk(RunStore):
    """A store whose next writes fail."""

    failures = 0

    def update(self, run_id: str, change: Callable[[RunRecord], RunRecord]) -> RunRecord:
        if self.failures:
            self.failures -= 1
            raise OSError(28, "No space left on device")
        return super().update(run_id, change)


@asynccontextmanager
async def supervised(store: RunStore, engine: Engine, known: str = "engine") -> AsyncIterator[RunSupervisor]:
    def get(name: str) -> Engine:
        if name != known:
            raise ExecutorError(f"there is no executor {name!r}")
        return engine

    def launch(run: RunRecord) -> Launch:
        return Launch(run.id, store.folder(run.id), ("-c", ""))

    async with open_supervisor(
        lambda tasks: RunSupervisor(store, known, get, launch, LIMITS, tasks, now=lambda: NOW)
    ) as supervisor:
        yield supervisor


def queued(name: str) -> RunRecord:
    return RunRecord(id=name, kind="training", status="queued", created=NOW, queued=NOW)


async def test_what_cannot_be_started_fails_and_lets_the_next_one_in(tmp_path: Path) -> None:
    store, engine = RunStore(tmp_path), Engine()
    engine.troubles = ["start"]
    async with supervised(store, engine) as supervisor:
        await supervisor.submit(lambda: queued("run-1"))
        await supervisor.submit(lambda: queued("run-2"))
        await until(lambda: store.read("run-2").status == "running")
        assert (store.read("run-1").status, store.read("run-1").error) == ("failed", "start: the engine is away")


async def test_an_engine_that_is_away_for_a_while_is_asked_again(tmp_path: Path) -> None:
    store, engine = RunStore(tmp_path), Engine()
    engine.troubles = ["state", "state", "stop", "forget"]
    async with supervised(store, engine) as supervisor:
        await supervisor.submit(lambda: queued("run-1"))
        await until(lambda: engine.calls.count("state") > 3)
        assert store.read("run-1").status == "running"
        await supervisor.cancel("run-1")
        await until(lambda: store.read("run-1").status == "cancelled")
    assert engine.troubles == []
    assert engine.calls[-1] == "forget"


async def test_what_happened_gets_on_record_once_there_is_room(tmp_path: Path) -> None:
    store, engine = FullDisk(tmp_path), Engine()
    async with supervised(store, engine) as supervisor:
        store.failures = 5
        await supervisor.submit(lambda: queued("run-1"))
        await until(lambda: store.read("run-1").status == "running")
        store.failures = 5
        engine.jobs["run-1"] = JobState("exited", 0)
        await until(lambda: store.read("run-1").status == "succeeded")
    assert engine.calls.count("start") == 1


async def test_a_job_that_was_started_but_not_recorded_is_not_started_twice(tmp_path: Path) -> None:
    store, engine = RunStore(tmp_path), Engine()
    store.create(queued("run-1"))  # as a service leaves it that was killed at the wrong moment
    async with supervised(store, engine):
        await until(lambda: store.read("run-1").status == "running")
        assert store.read("run-1").handle == "run-1"


async def test_a_run_of_another_executor_is_not_given_up(tmp_path: Path) -> None:
    store, engine = RunStore(tmp_path), Engine()
    store.create(queued("run-1").with_(status="running", executor="docker", handle="container"))
    async with supervised(store, engine) as supervisor:
        await supervisor.submit(lambda: queued("run-2"))
        assert store.read("run-1").status == "running"
        assert supervisor.position("run-2") == 1  # it holds its slot
    engine.jobs["container"] = JobState("exited", 0)
    async with supervised(store, engine, known="docker"):
        await until(lambda: store.read("run-1").status == "succeeded")
        await until(lambda: store.read("run-2").status == "running")


async def test_counts_are_kept(tmp_path: Path) -> None:
    store, engine = RunStore(tmp_path), Engine()
    counts: list[tuple[dict[Status, int], int]] = []
    async with open_supervisor(
        lambda tasks: RunSupervisor(
            store,
            "engine",
            lambda _: engine,
            lambda run: Launch(run.id, store.folder(run.id), ()),
            LIMITS,
            tasks,
            counted=lambda states, waiting: counts.append((dict(states), waiting)),
            now=lambda: NOW,
        )
    ) as supervisor:
        for name in ("run-1", "run-2"):
            await supervisor.submit(lambda name=name: queued(name))  # type: ignore[misc]
        await until(lambda: counts[-1][0]["running"] == 1)
        await until(lambda: counts[-1] == ({**dict.fromkeys(counts[-1][0], 0), "running": 1, "queued": 1}, 1))
