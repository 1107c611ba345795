"""Runs as Kubernetes Jobs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog

from services.trainer.errors import ClusterError, ExecutorError
from services.trainer.executors.base import LOG_FILE, JobState, Launch
from services.trainer.executors.job_environment import FOLDER_LABEL, RUN_LABEL
from services.trainer.executors.kubernetes_api import Cluster
from services.trainer.executors.kubernetes_job import CONTAINER, build_job, describe, has_ended, job_name, stuck
from services.trainer.executors.kubernetes_settings import KubernetesSettings
from services.trainer.executors.logs import LogCopy

_POLL_S = 0.5
_REMOVAL_S = 30.0
_ATTEMPTS = 3
_log = structlog.get_logger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class KubernetesExecutor:
    """Starts runs as Jobs and finds them again by their names, whichever process made them.

    A handle is "namespace/name/uid": a Job of the same name, made for a later attempt, is another one.

    Args:
        settings: Its settings.
        now: The time, to compare with the cluster's.
        clock: Seconds that never go back.
        sleep: Waits between two looks at a Job that is being removed.
    """

    name = "kubernetes"

    def __init__(
        self,
        settings: KubernetesSettings,
        *,
        now: Callable[[], datetime] = _utc_now,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._cluster = Cluster(settings)
        self._now = now
        self._clock = clock
        self._sleep = sleep
        self._copies: dict[str, LogCopy] = {}
        self._looks: dict[str, tuple[float, JobState]] = {}

    async def start(self, run: Launch) -> str:
        """Make a Job, or find it; see `Executor.start`."""
        manifest = build_job(run, self._settings)
        name = job_name(run.run_id)
        for _ in range(_ATTEMPTS):
            try:
                return self._handle(await self._cluster.create(manifest))
            except ClusterError as error:
                if error.status != HTTPStatus.CONFLICT:
                    raise
            job = await self._cluster.job(name)
            if job is None:
                continue  # it went in between
            _check_ours(job, run)
            if not has_ended(job) and not job["metadata"].get("deletionTimestamp"):
                return self._handle(job)
            await self._copy_log(job, final=True)
            await self._remove(job, self._settings.grace_s)
        raise ExecutorError(f"the job {name} of an earlier attempt comes back whenever it is removed")

    async def state(self, handle: str) -> JobState:
        """Look at a Job and bring its log up to date; see `Executor.state`.

        A Job that waits in vain (no node takes it, its image cannot be had) for longer than `stuck_s` is removed, and
        then counts as exited.
        """
        looked, last = self._looks.get(handle, (-math.inf, None))
        if last is not None and self._clock() - looked < self._settings.look_every_s:
            return last
        state = await self._look(handle)
        if state.kind == "running":
            self._looks[handle] = (self._clock(), state)
        else:
            self._looks.pop(handle, None)
        return state

    async def stop(self, handle: str, grace_s: float) -> None:
        """Have a Job and its pods removed; see `Executor.stop`.

        The cluster gives the pods the grace that the Job was made with (`grace_s` of the settings); the one asked for
        here only lengthens the wait.
        """
        job = await self._find(handle)
        if job is None:
            return
        if has_ended(job):
            await self._copy_log(job, final=True)
            return
        await self._remove(job, max(grace_s, self._settings.grace_s))
        self._looks.pop(handle, None)

    async def forget(self, handle: str) -> None:
        """Remove an ended Job; see `Executor.forget`."""
        job = await self._find(handle)
        if job is not None:
            if not has_ended(job) and not job["metadata"].get("deletionTimestamp"):
                raise ExecutorError(f"the job {job['metadata']['name']} is still at work")
            await self._copy_log(job, final=True)
            await self._cluster.delete(job["metadata"]["name"], job["metadata"]["uid"])
        self._copies.pop(handle, None)
        self._looks.pop(handle, None)

    async def close(self) -> None:
        """Close the connections to the cluster; Jobs go on."""
        await self._cluster.close()

    async def _look(self, handle: str) -> JobState:
        job = await self._find(handle)
        if job is None:
            return JobState("gone")
        pods = await self._cluster.pods(job, RUN_LABEL)
        state = describe(job, pods, self._settings)
        await self._copy_log(job, pods, final=state.kind == "exited")
        if state.kind == "exited" or (waits := stuck(job, pods, self._now())) is None:
            return state
        age, words = waits
        if age < self._settings.stuck_s:
            return JobState("running", detail=words)
        await self._remove(job, 0)
        return JobState("exited", detail=f"given up after {age:.0f} s: {words}")

    def _handle(self, job: Mapping[str, Any]) -> str:
        return f"{self._settings.namespace}/{job['metadata']['name']}/{job['metadata']['uid']}"

    async def _find(self, handle: str) -> dict[str, Any] | None:
        namespace, _, rest = handle.partition("/")
        name, _, uid = rest.partition("/")
        if namespace != self._settings.namespace or not uid:
            raise ExecutorError(f"{handle!r} is no handle of a job in the namespace {self._settings.namespace}")
        job = await self._cluster.job(name)
        return job if job is not None and job["metadata"]["uid"] == uid else None

    async def _remove(self, job: Mapping[str, Any], grace_s: float) -> None:
        """Delete a Job and wait until it and its pods are gone."""
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        await self._cluster.delete(name, uid)
        deadline = self._clock() + grace_s + _REMOVAL_S
        while True:
            left = await self._cluster.job(name)
            if left is None or left["metadata"]["uid"] != uid:
                return
            if self._clock() > deadline:
                raise ExecutorError(f"the job {name} is still being removed after {grace_s + _REMOVAL_S:.0f} s")
            await self._copy_log(left)  # what a run says at its end would go with the pod
            await self._sleep(_POLL_S)

    async def _copy_log(
        self, job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]] | None = None, *, final: bool = False
    ) -> None:
        """Bring the log in the run's folder up to date; a job is not to be harmed by a log that cannot be written."""
        handle = self._handle(job)
        try:
            folder = Path(job["metadata"]["annotations"][FOLDER_LABEL])
            copy = self._copies.setdefault(handle, LogCopy(folder / LOG_FILE, f"job {handle}"))
            if pods is None:
                pods = await self._cluster.pods(job, RUN_LABEL)
            for pod in pods:
                since = await asyncio.to_thread(copy.since)
                text = await self._cluster.log(pod["metadata"]["name"], CONTAINER, since)
                await asyncio.to_thread(partial(copy.add, text, final=final))
        except (OSError, KeyError, ExecutorError) as error:
            _log.warning("log not copied", job=job["metadata"]["name"], reason=str(error))


def _check_ours(job: Mapping[str, Any], run: Launch) -> None:
    metadata = job["metadata"]
    if (metadata.get("labels") or {}).get(RUN_LABEL) != run.run_id:
        raise ExecutorError(f"the name {metadata['name']} is taken by a job that is no run of this service")
    if (metadata.get("annotations") or {}).get(FOLDER_LABEL) != str(run.folder):
        raise ExecutorError(
            f"the namespace has a job of a run {run.run_id} in another directory: another trainer's, or another run "
            "whose name comes out the same"
        )
