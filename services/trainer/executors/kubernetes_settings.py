"""Settings of the kubernetes executor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
DnsName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^:]*$")]
_CLOSED = ConfigDict(extra="forbid", frozen=True)


class ClaimMount(BaseModel):
    """A directory on a persistent volume.

    Attributes:
        claim: Name of the PersistentVolumeClaim.
        target: The job's path of it.
        sub_path: The directory of the volume; "" for its root.
        read_only: The job may only read it.
    """

    model_config = _CLOSED

    claim: DnsName
    target: AbsolutePath
    sub_path: str = ""
    read_only: bool = False

    @field_validator("sub_path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError("must be a relative path without ..")
        return path


class Toleration(BaseModel):
    """A taint that jobs put up with; the words are Kubernetes'."""

    model_config = _CLOSED

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class KubernetesSettings(BaseModel):
    """Settings of the kubernetes executor."""

    model_config = _CLOSED

    namespace: DnsLabel = "trustvqa"
    kubeconfig: Path | None = Field(
        default=None, description="By default the service account of the pod that this runs in, else the usual file."
    )
    context: str | None = Field(default=None, description="Context of the kubeconfig; by default its current one.")
    image: str = Field(min_length=1, description="Image with the trainer.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[DnsName, ...] = ()
    python: str = Field(default="python", min_length=1, description="The interpreter in the image.")
    working_dir: AbsolutePath | None = Field(default=None, description="By default the image's.")
    runs: ClaimMount = Field(description="The directory of runs, which the service mounts, too.")
    mounts: tuple[ClaimMount, ...] = Field(
        default=(), description="Registry, data, models: under the paths that runs know them by."
    )
    secret: DnsName | None = Field(
        default=None, description="Secret with a key for each of the jobs' secrets, named as the variable."
    )
    service_account: DnsName | None = Field(default=None, description="Jobs' account; its token is not mounted.")
    user: int = Field(default=10001, ge=1, description="User number of jobs; never 0.")
    group: int = Field(default=10001, ge=1, description="Group number of jobs and of what they write.")
    cpu: Quantity = Field(default="2", description="Processor cores that are asked for; more are used where free.")
    memory: Quantity = Field(default="8Gi", description="Memory that is asked for, and the limit.")
    gpus: int = Field(default=0, ge=0, description="GPUs.")
    gpu_resource: str = Field(default="nvidia.com/gpu", pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$")
    tmp: Quantity = Field(default="4Gi", description="Most space in /tmp, on the node's disk.")
    shm: Quantity = Field(default="1Gi", description="Size of /dev/shm; what is used counts as memory.")
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: DnsName | None = None
    priority_class: DnsName | None = None
    grace_s: int = Field(
        default=8, ge=1, le=3600, description="Seconds between SIGTERM and SIGKILL; fixed when a job is made."
    )
    ttl_s: int = Field(default=86_400, ge=60, description="Seconds after which an ended job is removed by the cluster.")
    deadline_s: int | None = Field(default=None, ge=60, description="Longest life of a job; by default without end.")
    stuck_s: float = Field(
        default=1800.0,
        gt=0,
        description="Seconds that a job may be without a place or without its image before it is given up.",
    )
    timeout_s: float = Field(default=15.0, gt=0, le=600, description="Seconds that the API may take for an answer.")
    look_every_s: float = Field(
        default=2.0,
        ge=0,
        description="Least time between two looks at a running job and its log; in between, the last answer stands.",
    )
