"""A training run as one process works on it: its folder, configuration and start, and its journal and observer."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from prompt4trust.prompts import PromptTemplate, load_answer_template
from prompt4trust.rewards import get_reward
from services.common.clients.http_pool import HttpPool
from services.common.registry.directory import Registry
from services.trainer.errors import RunError
from services.trainer.grpo.config.training_config import TrainingConfig
from services.trainer.grpo.connection import Connection, open_client
from services.trainer.grpo.journal import Journal, RunObserver
from services.trainer.grpo.scoring import Scorer
from services.trainer.grpo.spec import TrainingSpec
from services.trainer.grpo.start_policy import StartPolicy, find_start


@dataclass(frozen=True, slots=True)
class RunContext:
    """A run in this process.

    Attributes:
        folder: The run's folder.
        config: Its configuration.
        connection: The downstream model and the registry.
        registry: The registry, opened.
        start: The policy that it begins with.
        answer_template: Wording of the questions to the downstream model.
        journal: Its files.
        observer: Listener to steps and remarks.
        key: The downstream service's API key, or None.
        stop: Once it is set, the run ends after the step in progress.
    """

    folder: Path
    config: TrainingConfig
    connection: Connection
    registry: Registry
    start: StartPolicy
    answer_template: PromptTemplate
    journal: Journal
    observer: RunObserver
    key: SecretStr | None
    stop: threading.Event

    @classmethod
    def open(
        cls,
        folder: Path,
        spec: TrainingSpec,
        journal: Journal,
        observer: RunObserver,
        key: SecretStr | None,
        stop: threading.Event,
    ) -> RunContext:
        """Find the run's start and wording.

        Raises:
            StartPolicyError: If the start cannot be used.
            RunError: If the answer template cannot be used.
        """
        config, connection = spec.config, spec.connection
        registry = Registry(connection.registry)
        start = find_start(config.policy, config.prompt_template, registry)
        template = _answer_template(connection.template)
        return cls(folder, config, connection, registry, start, template, journal, observer, key, stop)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / "checkpoints"

    def open_scorer(self) -> tuple[HttpPool, Scorer]:
        """Open a pool to the downstream service, which the caller closes, and a scorer that asks by it."""
        answer = self.config.answer
        http, client = open_client(self.connection, answer, self.key)
        sampling, reward = answer.sampling(self.config.seed), get_reward(self.config.reward)
        takes_text = self.connection.takes_burned_in
        return http, Scorer(client, self.answer_template, sampling, reward, answer.max_in_flight, takes_text)


def is_main_process() -> bool:
    """Whether this process answers for all those that one launcher started."""
    return os.environ.get("RANK", "0") == "0"  # as torchrun and accelerate set it


def _answer_template(source: str) -> PromptTemplate:
    try:
        return load_answer_template(source)
    except (OSError, ValueError) as error:
        raise RunError(f"answer template {source}: {error}") from error
