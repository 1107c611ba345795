"""A run as a container: its description for the engine, and its state in the engine's answers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from docker.types import DeviceRequest, LogConfig
from docker.types import Mount as EngineMount
from pydantic import ByteSize

from services.trainer.executors.base import JobState, Launch
from services.trainer.executors.docker_settings import DockerSettings, Mount
from services.trainer.executors.exit_codes import by_signal
from services.trainer.executors.job_environment import (
    FOLDER_LABEL,
    ROLE,
    ROLE_LABEL,
    RUN_LABEL,
    SECRETS_TARGET,
    job_environment,
    relocated,
)

ALIVE = frozenset({"running", "paused", "restarting"})
"""Statuses of containers whose job goes on."""
# What init processes and shells exit with.
_NOT_BEGUN = {126: "the image's interpreter cannot be executed", 127: "the image has no such interpreter"}


def container_options(run: Launch, settings: DockerSettings) -> dict[str, Any]:
    """Describe a run's container in the words of the Docker SDK.

    Args:
        run: The job.
        settings: The executor's settings.

    Returns:
        Arguments of ``containers.create``. The name follows from the run's id, so that there cannot be two.

    Raises:
        ExecutorError: If a secret would have to be told openly.
    """
    runs = settings.runs or Mount(source=str(run.folder.parent), target=str(run.folder.parent))
    mounts = [_mount(each) for each in (runs, *settings.mounts)]
    if settings.secrets:
        mounts.append(_mount(Mount(source=settings.secrets, target=SECRETS_TARGET, read_only=True)))
    options: dict[str, Any] = {
        "name": f"trustvqa-{run.run_id}",
        "image": settings.image,
        # The image's own entry point and health check are for whatever service it usually is.
        "entrypoint": [settings.python],
        "command": relocated(run, PurePosixPath(runs.target)),
        "healthcheck": {"test": ["NONE"]},
        "environment": job_environment(run.environment, secrets=settings.secrets is not None),
        "labels": {RUN_LABEL: run.run_id, ROLE_LABEL: ROLE, FOLDER_LABEL: str(run.folder)},
        "user": settings.user or f"{os.getuid()}:{os.getgid()}",
        "mounts": mounts,
        "read_only": True,
        # Compiled kernels are loaded from there, hence exec.
        "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={int(settings.tmp)}"},  # noqa: S108 - the job's own
        "shm_size": int(settings.shm),
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": settings.pids,
        "init": settings.init,
        "stop_signal": "SIGTERM",
        "log_config": LogConfig(type="json-file", config={"max-size": "50m", "max-file": "2"}),
        "detach": True,
    }
    if settings.working_dir:
        options["working_dir"] = settings.working_dir
    if settings.network:
        options["network"] = settings.network
    if settings.memory is not None:
        options |= {"mem_limit": int(settings.memory), "memswap_limit": int(settings.memory)}
    if settings.cpus is not None:
        options["nano_cpus"] = round(settings.cpus * 1e9)
    if settings.gpus is not None:
        count = -1 if settings.gpus == "all" else settings.gpus
        options["device_requests"] = [DeviceRequest(count=count, capabilities=[["gpu"]])]
    return options


def describe(attributes: Mapping[str, Any]) -> JobState:
    """Read a job's state out of what the engine says of a container.

    Args:
        attributes: The engine's answer to an inspection.
    """
    state = attributes["State"]
    status = state["Status"]
    if status in ALIVE:
        return JobState("running", detail="the container is paused" if status == "paused" else "")
    if status == "created":
        return JobState("exited", detail="the container was made and never started")
    code = int(state["ExitCode"])
    detail = str(state.get("Error") or "")
    if state.get("OOMKilled"):
        limit = attributes.get("HostConfig", {}).get("Memory") or 0
        allowed = f"the container may use {ByteSize(limit).human_readable()}" if limit else "the machine has no more"
        detail = f"out of memory: {allowed}" if code else f"a process of the job ran out of memory: {allowed}"
    return JobState("exited", code, detail or _NOT_BEGUN.get(code) or by_signal(code))


def _mount(mount: Mount) -> Any:
    kind = "bind" if mount.source.startswith("/") else "volume"
    return EngineMount(target=mount.target, source=mount.source, type=kind, read_only=mount.read_only)
