"""Runs as child processes: each in a session of its own, so that it outlives the service and can be stopped whole."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from services.common.settings import SECRETS_VARIABLE, secrets_directories
from services.trainer.errors import ExecutorError
from services.trainer.executors.base import LOG_FILE, JobState, Launch
from services.trainer.executors.process_identity import find, identify, is_dead, marked

MARK = "TRUSTVQA_RUN"
"""Variable that every process of a run carries: the run's folder. It finds what left the process group, too."""
# What a process needs to know of its machine; everything else, secrets above all, stays with the service.
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|PYTHONPATH|VIRTUAL_ENV|LD_LIBRARY_PATH|CUDA_\w+|SSL_CERT_\w+"
    r"|NO_PROXY|no_proxy|XDG_CACHE_HOME|HF_HOME|HF_HUB_CACHE|HF_HUB_OFFLINE|HF_HUB_DISABLE_TELEMETRY"
)
_POLL_S = 0.1
_KILL_S = 5.0


class ProcessExecutor:
    """Starts runs as children of this process; finds them again after a restart, when they are so no more.

    Args:
        python: The interpreter.
        environment: The service's own; the variables that a child may need are passed on.
    """

    name = "process"

    def __init__(self, python: str = sys.executable, environment: Mapping[str, str] = os.environ) -> None:
        self._python = python
        self._secrets = environment.get(SECRETS_VARIABLE, "")
        self._base = {name: value for name, value in environment.items() if _PASSED_ON.fullmatch(name)}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    async def start(self, run: Launch) -> str:
        """Start a child, or find it; see `Executor.start`."""
        return await asyncio.to_thread(self._start, run)

    async def state(self, handle: str) -> JobState:
        """Look at a child; see `Executor.state`. The exit code is known of children that this process started."""
        return await asyncio.to_thread(self._state, handle)

    async def stop(self, handle: str, grace_s: float) -> None:
        """End a child and all that carries its mark; see `Executor.stop`."""
        await asyncio.to_thread(self._stop, handle, grace_s)

    async def forget(self, handle: str) -> None:
        """End what an ended child left running; see `Executor.forget`."""
        await asyncio.to_thread(self._stop, handle, 0.0)
        with self._lock:
            self._children.pop(handle, None)

    async def close(self) -> None:
        """Let go of the children; they go on."""
        with self._lock:
            for child in self._children.values():
                if child.poll() is None:
                    child.returncode = 0  # not our concern any more; else Popen warns of a child left behind
            self._children.clear()

    # --- In a thread --------------------------------------------------------------------------------------------------

    def _start(self, run: Launch) -> str:
        with self._lock:
            folder = str(run.folder)
            for process in marked(MARK, folder):
                if _is_job(process, run.command):
                    return _handle(process.pid, run.folder)
            try:
                with (run.folder / LOG_FILE).open("ab") as log:
                    child = subprocess.Popen(  # noqa: S603 - the service's own command
                        [self._python, *run.command],
                        env={**self._base, **self._told(run.environment), MARK: folder},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
            except OSError as error:
                raise ExecutorError(f"the process could not be started: {error.strerror or error}") from error
            try:
                handle = _handle(child.pid, run.folder)
            except LookupError as error:  # a child is there until it is waited for
                raise ExecutorError(str(error)) from error
            self._children[handle] = child
            return handle

    def _told(self, environment: Mapping[str, str]) -> dict[str, str]:
        if not self._secrets:
            return dict(environment)
        # Where secrets are files the child reads them there too, and its environment shows none.
        files = {path.name.lower() for each in secrets_directories(self._secrets) for path in each.iterdir()}
        kept = {name: value for name, value in environment.items() if name.lower() not in files}
        return {**kept, SECRETS_VARIABLE: self._secrets}

    def _state(self, handle: str) -> JobState:
        with self._lock:
            child = self._children.get(handle)
            if child is not None:
                code = child.poll()
                return JobState("running") if code is None else JobState("exited", code)
        leader = _find(handle)
        if leader is None:
            return JobState("gone")
        return JobState("exited") if is_dead(leader) else JobState("running")

    def _stop(self, handle: str, grace_s: float) -> None:
        deadline = time.monotonic() + grace_s
        if grace_s > 0:
            self._signal(handle, signal.SIGTERM)
            while time.monotonic() < deadline and self._alive(handle):
                time.sleep(_POLL_S)
        deadline = time.monotonic() + _KILL_S
        # Again and again: what is about to be killed may just have started another.
        while self._alive(handle):
            if time.monotonic() > deadline:
                raise ExecutorError("some of the run's processes cannot be killed")
            self._signal(handle, signal.SIGKILL)
            time.sleep(_POLL_S)

    def _signal(self, handle: str, number: signal.Signals) -> None:
        for process in self._alive(handle):
            try:
                process.send_signal(number)
            except psutil.Error:
                continue  # gone meanwhile

    def _alive(self, handle: str) -> list[psutil.Process]:
        with self._lock:
            child = self._children.get(handle)
            if child is not None:
                child.poll()  # buries it
        leader = _find(handle)
        found = marked(MARK, _folder(handle))
        if leader is not None and not is_dead(leader) and leader.pid not in {each.pid for each in found}:
            found.append(leader)
        return found


def _handle(pid: int, folder: Path) -> str:
    return f"{identify(pid)}:{folder}"


def _find(handle: str) -> psutil.Process | None:
    host, pid, start, _ = handle.split(":", 3)
    try:
        return find(f"{host}:{pid}:{start}")
    except ValueError as error:
        raise ExecutorError(f"{handle!r} is no handle of a process") from error


def _folder(handle: str) -> str:
    return handle.split(":", 3)[3]


def _is_job(process: psutil.Process, command: tuple[str, ...]) -> bool:
    # What the job started carries its mark too; some of that may even lead a session of its own.
    try:
        return os.getsid(process.pid) == process.pid and tuple(process.cmdline()[1:]) == command
    except (OSError, psutil.Error):
        return False
