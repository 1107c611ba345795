"""Settings of the docker executor."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field, StringConstraints

AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^:]*$")]


class Mount(BaseModel):
    """A directory that a container sees.

    Attributes:
        source: An absolute path on the engine's machine, or the name of a volume.
        target: The container's path of it.
        read_only: The container may only read it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[str, StringConstraints(pattern=r"^(/[^:]*|[A-Za-z0-9][A-Za-z0-9_.-]*)$")]
    target: AbsolutePath
    read_only: bool = False


class DockerSettings(BaseModel):
    """Settings of the docker executor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str | None = Field(
        default=None,
        description="Address of the Docker engine, such as unix:///var/run/docker.sock; by default DOCKER_HOST and "
        "its companions, as the docker command reads them.",
    )
    image: str = Field(default="trustvqa:latest", min_length=1, description="Image with the trainer; it is not pulled.")
    python: str = Field(default="python", min_length=1, description="The interpreter in the image.")
    working_dir: AbsolutePath | None = Field(default=None, description="By default the image's.")
    runs: Mount | None = Field(
        default=None,
        description="The directory of runs. By default the service's own, under the same path: right where service and "
        "engine share a machine and the service is in no container.",
    )
    mounts: tuple[Mount, ...] = Field(
        default=(), description="Registry, data, models: under the paths that runs know them by."
    )
    secrets: str | None = Field(
        default=None,
        min_length=1,
        description="Directory on the engine's machine, or volume, with a file for each secret, named as the variable.",
    )
    network: str | None = Field(default=None, description="Network from which the downstream service can be reached.")
    memory: ByteSize | None = Field(default=None, gt=0, description="Most memory, such as 16GiB; no swap on top of it.")
    shm: ByteSize = Field(default=ByteSize(2**30), gt=0, description="Size of /dev/shm; what is used counts as memory.")
    tmp: ByteSize = Field(default=ByteSize(2**31), gt=0, description="Size of /tmp; what is used counts as memory.")
    cpus: float | None = Field(default=None, gt=0, description="Most processor cores.")
    pids: int = Field(default=4096, ge=16, description="Most processes and threads.")
    gpus: Annotated[int, Field(ge=1)] | Literal["all"] | None = Field(default=None, description="GPUs to ask for.")
    user: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?$",
        description="User[:group]; by default the service's own numbers, so that both can write a run's folder.",
    )
    init: bool = Field(default=True, description="Whether a small init process passes signals on and buries orphans.")
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="Seconds that the engine may take for an answer.")
    log_every_s: float = Field(default=2.0, ge=0, description="Least time between two copies of a running job's log.")
