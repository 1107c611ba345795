"""Executors by name."""

from __future__ import annotations

from services.trainer.errors import ExecutorError
from services.trainer.executors.base import Executor
from services.trainer.executors.docker_settings import DockerSettings
from services.trainer.executors.kubernetes_settings import KubernetesSettings
from services.trainer.executors.process import ProcessExecutor


class Executors:
    """Makes executors when they are first asked for, and keeps them.

    Args:
        docker: Settings of that one.
        kubernetes: Settings of that one, or None where it is not set up.
    """

    def __init__(self, docker: DockerSettings, kubernetes: KubernetesSettings | None) -> None:
        self._docker = docker
        self._kubernetes = kubernetes
        self._made: dict[str, Executor] = {}

    def get(self, name: str) -> Executor:
        """Give the executor of a name.

        Raises:
            ExecutorError: If there is none, or it is not set up here.
        """
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    async def close(self) -> None:
        """Close those that were made; their jobs go on."""
        for executor in self._made.values():
            await executor.close()
        self._made.clear()

    def _make(self, name: str) -> Executor:
        # The two are imported here: each brings a client library along, which an installation may do without.
        try:
            if name == "docker":
                from services.trainer.executors.docker import DockerExecutor

                return DockerExecutor(self._docker)
            if name == "kubernetes":
                from services.trainer.executors.kubernetes import KubernetesExecutor

                if self._kubernetes is None:
                    raise ExecutorError("the kubernetes executor needs its settings (section trainer, kubernetes)")
                return KubernetesExecutor(self._kubernetes)
        except ImportError as error:
            raise ExecutorError(f"the {name} executor needs the package {error.name}") from error
        if name != ProcessExecutor.name:
            raise ExecutorError(f"there is no executor {name!r}")
        return ProcessExecutor()
