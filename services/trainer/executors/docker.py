"""Runs as containers of a Docker engine, confined as far as training allows."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread
import docker
import requests
import stamina
import structlog
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from services.trainer.errors import ExecutorError
from services.trainer.executors.base import LOG_FILE, JobState, Launch
from services.trainer.executors.docker_container import ALIVE, container_options, describe
from services.trainer.executors.docker_settings import DockerSettings
from services.trainer.executors.job_environment import (
    FOLDER_LABEL,
    ROLE,
    ROLE_LABEL,
    RUN_LABEL,
)
from services.trainer.executors.logs import LogCopy

_TAIL = 2000
_THREADS = 4
_ATTEMPTS = 8
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class _NameTakenError(ExecutorError):
    """A container of the run's name exists that is not listed as the run's."""


class DockerExecutor:
    """Starts runs as containers and finds them again by their labels, whichever process started them.

    Args:
        settings: Its settings.
        clock: Seconds that never go back.
    """

    name = "docker"

    def __init__(self, settings: DockerSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._limiter = anyio.CapacityLimiter(_THREADS)
        self._lock = threading.Lock()
        self._client: Any = None
        self._copies: dict[str, LogCopy] = {}
        self._copied: dict[str, float] = {}

    async def start(self, run: Launch) -> str:
        """Start a container, or find it; see `Executor.start`. The handle is the container's id."""
        return await self._in_thread(self._start, run)

    async def state(self, handle: str) -> JobState:
        """Look at a container and bring its log up to date; see `Executor.state`."""
        return await self._in_thread(self._state, handle)

    async def stop(self, handle: str, grace_s: float) -> None:
        """Stop a container; see `Executor.stop`."""
        await self._in_thread(self._stop, handle, grace_s)

    async def forget(self, handle: str) -> None:
        """Remove an ended container; see `Executor.forget`."""
        await self._in_thread(self._forget, handle)

    async def close(self) -> None:
        """Close the connections to the engine; containers go on."""
        client, self._client = self._client, None
        if client is not None:
            await self._in_thread(client.close)

    async def _in_thread(self, call: Callable[..., _T], *args: Any) -> _T:
        return await anyio.to_thread.run_sync(call, *args, limiter=self._limiter)

    # --- In a thread --------------------------------------------------------------------------------------------------

    def _start(self, run: Launch) -> str:
        options = container_options(run, self._settings)
        with self._explained(f"start the container of {run.run_id}"):
            engine = self._engine()
            # Another service may be quicker, and the engine holds a name before it lists its container and after.
            for attempt in stamina.retry_context(
                on=_NameTakenError, attempts=_ATTEMPTS, wait_initial=0.05, wait_max=1.0
            ):
                with attempt:
                    return self._take_or_make(engine, run, options)
        raise AssertionError("the last attempt returns or raises")

    def _take_or_make(self, engine: Any, run: Launch, options: Mapping[str, Any]) -> str:
        for container in self._find(engine, run):
            if container.status in ALIVE:
                return str(container.id)
            if container.status == "created":  # whoever made it did not live to start it, or is about to
                return self._begin(container)
            self._copy_log(container, final=True)
            with suppress(NotFound):
                container.remove(v=True)
        try:
            container = engine.containers.create(**options)
        except APIError as error:
            if error.status_code != requests.codes.conflict:
                raise
            raise _NameTakenError(
                f"the name {options['name']} is taken by a container that is no run of this service"
            ) from error
        return self._begin(container)

    def _begin(self, container: Any) -> str:
        try:
            container.start()
        except DockerException:
            with suppress(DockerException, requests.RequestException):
                container.remove(v=True)
            raise
        return str(container.id)

    def _find(self, engine: Any, run: Launch) -> list[Any]:
        labels = [f"{RUN_LABEL}={run.run_id}", f"{ROLE_LABEL}={ROLE}"]
        found = engine.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
        for container in found:
            if container.labels.get(FOLDER_LABEL) != str(run.folder):
                raise ExecutorError(
                    f"the engine has a container of a run {run.run_id} in another directory ({container.name}): "
                    "another trainer's, or another run whose name comes out the same"
                )
        return list(found)

    def _state(self, handle: str) -> JobState:
        with self._explained("look at the container"):
            container = self._get(handle)
            if container is None:
                return JobState("gone")
            state = describe(container.attrs)
            due = self._clock() - self._copied.get(handle, -math.inf) >= self._settings.log_every_s
            if state.kind == "exited" or due:
                self._copy_log(container, final=state.kind == "exited")
            return state

    def _stop(self, handle: str, grace_s: float) -> None:
        with self._explained("stop the container"):
            container = self._get(handle)
            if container is None:
                return
            with suppress(NotFound):
                container.stop(timeout=math.ceil(max(0.0, grace_s)))
                container.reload()
                if container.status in ALIVE:
                    raise ExecutorError(f"the container {container.name} cannot be stopped")
                self._copy_log(container, final=True)

    def _forget(self, handle: str) -> None:
        with self._explained("remove the container"):
            container = self._get(handle)
            if container is not None:
                self._copy_log(container, final=True)
                with suppress(NotFound):
                    container.remove(v=True)
        self._copies.pop(handle, None)
        self._copied.pop(handle, None)

    def _get(self, handle: str) -> Any:
        try:
            return self._engine().containers.get(handle)
        except NotFound:
            return None

    def _copy_log(self, container: Any, *, final: bool) -> None:
        """Bring the log in the run's folder up to date; a job is not to be harmed by a log that cannot be written."""
        handle = str(container.id)
        self._copied[handle] = self._clock()
        try:
            copy = self._copies.setdefault(
                handle, LogCopy(Path(container.labels[FOLDER_LABEL]) / LOG_FILE, f"container {handle}")
            )
            since = copy.since()
            asked = {"stdout": True, "stderr": True, "timestamps": True} | ({"since": since} if since else {})
            # A part from the end first: the engine reads a log from its beginning to find a moment in it.
            text = container.logs(**asked, tail=_TAIL if since else "all")
            if since and text.count(b"\n") >= _TAIL:
                text = container.logs(**asked)
            copy.add(text, final=final)
        except (OSError, KeyError, DockerException) as error:
            _log.warning("log not copied", container=container.name, reason=str(error))

    def _engine(self) -> Any:
        with self._lock:
            if self._client is None:
                environment = dict(os.environ)
                if self._settings.engine:
                    environment["DOCKER_HOST"] = self._settings.engine
                self._client = docker.DockerClient.from_env(timeout=self._settings.timeout_s, environment=environment)
            return self._client

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except ImageNotFound as error:
            raise ExecutorError(
                f"the engine has no image {self._settings.image}: build or pull it there, or name another one"
            ) from error
        except APIError as error:
            raise ExecutorError(f"the Docker engine would not {doing}: {error.explanation or error}") from error
        except (DockerException, requests.RequestException, OSError) as error:
            where = self._settings.engine or os.environ.get("DOCKER_HOST") or "its usual address"
            raise ExecutorError(
                f"the Docker engine does not answer at {where}: is it running, and may this user reach it? ({error})"
            ) from error
