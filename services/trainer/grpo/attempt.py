"""One process's work on a training run: learn, evaluate checkpoints, choose, publish."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from prompt4trust.datasets import Dataset
from prompt4trust.prompts import PromptTemplate, load_answer_template
from prompt4trust.rewards import get_reward
from services.common.clients.downstream import DownstreamClient
from services.common.registry.directory import Registry
from services.trainer.grpo import publish, selection
from services.trainer.grpo.checkpoints import latest, step_of
from services.trainer.grpo.connection import check_reachable, open_client
from services.trainer.grpo.data import check_apart, load_questions
from services.trainer.grpo.journal import METRICS, Journal, RunObserver, read_lines
from services.trainer.grpo.policy_files import Start, export, find_start
from services.trainer.grpo.scoring import Scorer
from services.trainer.grpo.spec import RunError, Spec, check_version_is_free

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended.

    Attributes:
        stopped: Whether it was stopped before its end; it can then be taken up again.
        step: The last step that a checkpoint holds.
        resumed_from: The step it was taken up from, or None for a run that began anew.
        before: Evaluation of the policy it began with, or None where there was no time.
        best: Evaluation of its best checkpoint, or None.
        published: The version's directory, or None.
        remark: Why nothing was published; "" otherwise.
    """

    stopped: bool
    step: int
    resumed_from: int | None
    before: dict[str, Any] | None = None
    best: dict[str, Any] | None = None
    published: Path | None = None
    remark: str = ""


class Attempt:
    """One process's work on a run."""

    def __init__(
        self,
        folder: Path,
        spec: Spec,
        journal: Journal,
        observer: RunObserver,
        key: SecretStr | None,
        stop: threading.Event,
    ) -> None:
        self.folder = folder
        self.config = spec.config
        self.connection = spec.connection
        self.journal = journal
        self.observer = observer
        self.key = key
        self.stop = stop
        self.registry = Registry(self.connection.registry)
        self.start: Start = find_start(self.config.policy, self.config.prompt_template, self.registry)
        self.answer_template = _answer_template(self.connection.template)

    def execute(self) -> Result:
        """Begin or go on, then choose and publish."""
        checkpoint, passed_over = latest(self.folder / CHECKPOINTS)
        for useless, wrong in passed_over:
            self.observer.note(f"{useless.name} is removed: {wrong}")
            # It would count as one of those to keep, and push a whole one out.
            if is_main_process():
                shutil.rmtree(useless, ignore_errors=True)
        resumed_from = None if checkpoint is None else step_of(checkpoint)
        if resumed_from is not None:
            self.observer.note(f"going on from step {resumed_from}")
        if self.config.update.beta == 0:
            self.observer.note(
                "beta is 0: nothing keeps the guidance language, and small policies drift into word salad"
            )
        train, validation = self._data()
        self.validation = validation
        if is_main_process():
            self.journal.rewind(resumed_from or 0)
        if checkpoint is None or resumed_from != self.config.update.max_steps:
            self._check_downstream()
            self._learn(train, checkpoint)
        if not is_main_process():
            # Rank 0 answers for all. A status of its own would have the launcher end rank 0 in the middle of its work.
            return Result(False, self.config.update.max_steps, resumed_from)
        last, _ = latest(self.folder / CHECKPOINTS)
        reached = 0 if last is None else step_of(last)
        evaluated = reached in self.journal.evaluations()
        if last is None or reached < self.config.update.max_steps or (self.stop.is_set() and not evaluated):
            return Result(True, reached, resumed_from)
        if not evaluated:
            self.assess(last)
        return self._conclude(train, reached, resumed_from)

    def _data(self) -> tuple[Dataset, Dataset]:
        train = load_questions(self.config.train, self.connection.data)
        validation = load_questions(self.config.validation, self.connection.data)
        check_apart(train, validation)
        return train, validation

    def _check_downstream(self) -> None:
        # Told at once instead of after every retry of the first batch.
        try:
            check_reachable(self.connection, self.key)
        except httpx.HTTPError as error:
            raise RunError(
                f"the downstream model at {self.connection.url} cannot be reached ({type(error).__name__}): "
                "start it and resume the run"
            ) from error

    def _learn(self, train: Dataset, checkpoint: Path | None) -> None:
        from services.trainer.grpo.trl_trainer import learn  # torch and TRL, which reading a run does without

        learn(self, train, checkpoint)

    # --- Evaluation ---------------------------------------------------------------------------------------------------

    def scorer(self, downstream: DownstreamClient) -> Scorer:
        """Make a scorer on a client."""
        answer = self.config.answer
        sampling = answer.sampling(self.config.seed)
        reward = get_reward(self.config.reward)
        return Scorer(downstream, self.answer_template, sampling, reward, answer.max_in_flight)

    def assess_start(self, directory: Path) -> None:
        """Evaluate the policy that the run begins with, once."""
        if 0 not in self.journal.evaluations():
            self._assess(directory, 0)

    def assess(self, checkpoint: Path) -> None:
        """Evaluate a checkpoint, and keep it if it is the best so far."""
        step = step_of(checkpoint)
        exported = self.folder / f".export-{step}"
        shutil.rmtree(exported, ignore_errors=True)
        export(checkpoint, self.start.template, exported)
        try:
            self._assess(exported, step)
        finally:
            shutil.rmtree(exported, ignore_errors=True)

    def _assess(self, directory: Path, step: int) -> None:
        outcomes = asyncio.run(self._try(directory))
        selected = self.config.selection
        record = {
            "step": step,
            **selection.judge(
                outcomes,
                max_lost_share=self.config.answer.max_lost_share,
                resamples=selected.resamples,
                seed=self.config.seed,
            ),
        }
        selection.write_outcomes(self.folder / "validation" / f"step-{step}.jsonl", outcomes)
        best = selection.best_of(self.journal.evaluations(), selected.objective)
        if step > 0 and (best is None or best["step"] == step or selection.is_better(record, best, selected.objective)):
            selection.keep_best(directory, self.folder)
        self.journal.evaluation(record)
        value = record["metrics"][selected.objective]["value"]
        accuracy, ece = (record["metrics"][name]["value"] for name in ("accuracy", "ece"))
        self.observer.note(f"step {step}, validation: {selected.objective} {value}, accuracy {accuracy}, ECE {ece}")

    async def _try(self, directory: Path) -> list[Any]:
        from services.trainer.grpo.trl_trainer import pick_device

        http, client = open_client(self.connection, self.config.answer, self.key)
        async with http:
            return await selection.try_policy(
                directory,
                self.start.template,
                self.validation.questions,
                self.scorer(client),
                max_tokens=self.config.rollout.max_completion_length,
                device=pick_device(self.config.device),
            )

    # --- The end ------------------------------------------------------------------------------------------------------

    def _conclude(self, train: Dataset, reached: int, resumed_from: int | None) -> Result:
        evaluations, objective = self.journal.evaluations(), self.config.selection.objective
        before, best = evaluations.get(0), selection.best_of(evaluations, objective)
        place = selection.find_best(self.folder)
        if before is None or best is None or not place.is_dir():
            raise RunError(f"{self.folder} holds no evaluated checkpoint: was something removed from it?")
        if self.config.selection.must_improve and not selection.is_better(best, before, objective):
            remark = f"no checkpoint beats {self.start.name} by {objective} on the validation questions"
            return Result(False, reached, resumed_from, before, best, None, f"{remark}: nothing was published")
        published = self.registry.root / "policies" / self.config.version
        if not check_version_is_free(self.registry, self.config.version, self.folder.name):
            return Result(False, reached, resumed_from, before, best, published)
        masked = sum(int(record.get("masked") or 0) for record in read_lines(self.folder / METRICS))
        weights = publish.hash_weights(Path(self.start.source)) if Path(self.start.source).is_dir() else None
        origin = publish.describe_origin(
            run=self.folder.name,
            parent=self.start.name,
            parent_weights=weights,
            config=self.config.model_dump(mode="json"),
            connection=self.connection.model_dump(mode="json"),
            data={
                name: {"name": data.name, "n": len(data.questions), "sha256": data.fingerprint}
                for name, data in (("train", train), ("validation", self.validation))
            },
            step=best["step"],
            masked=masked,
        )
        try:
            publish.publish(place, self.registry, self.config.version, before=before, after=best, provenance=origin)
        except OSError as error:
            raise RunError(
                f"training is done, but {self.config.version} could not be written to the registry "
                f"({error.strerror or error}): put that right and resume the run, which then only publishes"
            ) from error
        return Result(False, reached, resumed_from, before, best, published)


def _answer_template(source: str) -> PromptTemplate:
    try:
        return load_answer_template(source)
    except (OSError, ValueError) as error:
        raise RunError(f"answer template {source}: {error}") from error


def is_main_process() -> bool:
    """Tell the process that answers for all those that one launcher started."""
    return os.environ.get("RANK", "0") == "0"  # as torchrun and accelerate set it
