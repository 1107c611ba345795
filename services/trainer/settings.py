"""Settings of the trainer service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.trainer.executors.docker_settings import DockerSettings
from services.trainer.executors.kubernetes_settings import KubernetesSettings
from services.trainer.grpo.connection import ConnectionSettings


class TrainerSettings(ConnectionSettings, service="trainer"):
    """Settings of the trainer service; see ServiceSettings for where they come from."""

    model_config = SettingsConfigDict(extra="forbid")

    port: int = Field(default=8083, ge=1, le=65535, description="Port to listen on.")
    max_body_bytes: int = Field(default=256 * 1024, ge=1024, description="Largest request body.")

    configs: Path = Field(default=Path("configs"), description="Directory of the configurations that a run may name.")
    default_config: str = Field(
        default="embedded", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="The one for runs that name none."
    )
    executor: Literal["process", "docker", "kubernetes"] = Field(
        default="process", description="What does a run's work: a child process, a container, or a Kubernetes Job."
    )
    docker: DockerSettings = Field(default=DockerSettings(), description="Settings of the docker executor.")
    kubernetes: KubernetesSettings | None = Field(
        default=None, description="Settings of the kubernetes executor, which needs some."
    )
    slots: int = Field(default=1, ge=1, le=64, description="Runs at work at once; the others wait for their turn.")
    max_waiting: int = Field(default=16, ge=0, description="Runs that may wait; further ones are answered 429.")
    cancel_grace_s: float = Field(
        default=7.0,
        gt=0,
        le=600,
        description="Seconds that a cancelled run gets to save a checkpoint before it is killed.",
    )
    poll_s: float = Field(default=0.5, gt=0, le=60, description="Seconds between two looks at a run at work.")
    threads: int = Field(default=1, ge=1, description="Threads of a run's process (OMP_NUM_THREADS).")

    reward_deadline_s: float = Field(
        default=60.0, gt=0, le=600, description="Seconds within which a batch is rewarded."
    )
    reward_batches: int = Field(
        default=4, ge=1, le=64, description="Batches that are rewarded at once; further ones are answered 429."
    )
    reward_in_flight: int = Field(
        default=64, ge=1, le=4096, description="Requests to the downstream model at once, of one such batch."
    )

    heartbeat_s: float = Field(default=15.0, gt=0, description="Seconds between comments that keep event streams open.")
    max_streams: int = Field(default=64, ge=1, description="Clients that may follow events at once.")

    def without_folders(self, text: str) -> str:
        """Shorten a message's paths to begin at the service's directories: where these lie is the operator's business.

        Example:
            >>> settings = TrainerSettings(runs=Path("/srv/trustvqa/runs"))
            >>> settings.without_folders("/srv/trustvqa/runs/train-1 holds no run")
            'runs/train-1 holds no run'
        """
        for folder in (self.runs, self.registry, self.data, self.configs, self.shipped):
            for form in {folder.absolute(), folder.resolve()}:
                text = re.sub(rf"{re.escape(str(form))}(?=/|\b)", form.name, text)
        return text

    @model_validator(mode="after")
    def _executor_is_set_up(self) -> TrainerSettings:
        if self.executor == "kubernetes" and self.kubernetes is None:
            raise ValueError("executor 'kubernetes' needs its settings in the section kubernetes")
        return self
