"""A training run: a folder that says what it is, and a function that starts it or goes on with it."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from prompt4trust.datasets import Dataset, DatasetError
from prompt4trust.files import write_atomically
from prompt4trust.prompts import PromptTemplate, load_answer_template
from prompt4trust.rewards import get_reward
from services.common.clients.downstream import DownstreamClient, ImageEgressRefusedError
from services.common.registry import Registry, RegistryError
from services.trainer.grpo import publish, selection
from services.trainer.grpo.checkpoints import latest, step_of
from services.trainer.grpo.config import TrainingConfig
from services.trainer.grpo.connection import Connection, check_reachable, open_client
from services.trainer.grpo.data import DataError, check_apart, load_questions
from services.trainer.grpo.journal import METRICS, Journal, Observer, Silent, read_lines
from services.trainer.grpo.policies import Start, StartError, export, find_start
from services.trainer.grpo.rewarding import TooManyLostError
from services.trainer.grpo.scoring import Scorer

CONFIG, CHECKPOINTS = "config.json", "checkpoints"
# Python's own words, safetensors', and what torch.save makes of it.
_NO_ROOM = ("No space left", "Disk quota", "os error 28", "PytorchStreamWriter failed", "unexpected pos")


class RunError(Exception):
    """A run cannot begin or cannot go on; the message says why and what may be done."""


class VersionTakenError(RunError):
    """The registry has a version of the name already."""


class BusyError(RunError):
    """Another process is at work on the run."""


class Spec(BaseModel):
    """What a run is: written once, before it begins, and read whenever it is taken up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: TrainingConfig
    connection: Connection


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


def prepare(folder: Path, config: TrainingConfig, connection: Connection) -> None:
    """Make a folder a run's: what can be told to be wrong before hours are spent is told here.

    Args:
        folder: The run's folder; it may be there, but no other run may be in it.
        config: The run's configuration.
        connection: Where the downstream model and the registry are.

    Raises:
        RunError: If the folder holds another run, the start cannot be used, or the version exists or cannot be written.
    """
    spec = Spec(config=config, connection=connection)
    text = spec.model_dump_json(indent=2) + "\n"
    path = folder / CONFIG
    try:
        if path.exists() and read_spec(folder) != spec:
            raise RunError(f"{folder} holds a run of another configuration: resume that one, or name another folder")
        registry = Registry(connection.registry)
        find_start(config.policy, config.prompt_template, registry)
        _check_version_is_free(registry, config.version, folder.name)
        policies = connection.registry / "policies"
        policies.mkdir(parents=True, exist_ok=True)
        probe = policies / f".{config.version}.probe"
        write_atomically(probe, "")
        probe.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_atomically(path, text)
    except StartError as error:
        raise RunError(str(error)) from error
    except OSError as error:
        raise RunError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error


def read_spec(folder: Path) -> Spec:
    """Read what a run is.

    Raises:
        RunError: If the folder holds no run.
    """
    try:
        return Spec.model_validate_json((folder / CONFIG).read_bytes())
    except OSError as error:
        raise RunError(f"{folder} holds no run ({error.strerror or error})") from error
    except ValidationError as error:
        raise RunError(f"{folder / CONFIG} cannot be read: {error.errors()[0]['msg']}") from error


def execute(
    folder: Path,
    *,
    observer: Observer | None = None,
    key: SecretStr | None = None,
    stop: threading.Event | None = None,
) -> Result:
    """Run a prepared run to its end, from wherever it is: anew, from its last whole checkpoint, or only to publish.

    Args:
        folder: The run's folder.
        observer: Told of every step.
        key: The downstream service's API key.
        stop: Ends the run after the step in progress, with a checkpoint.

    Returns:
        How it ended.

    Raises:
        RunError: If it cannot go on; what was saved stays, and executing it again goes on from there.
    """
    spec = read_spec(folder)
    journal = Journal(folder, spec.config.samples_per_step)
    try:
        with _only_one(folder):
            run = Attempt(folder, spec, journal, observer or Silent(), key, stop or threading.Event())
            result = run.execute()
            state = "cancelled" if result.stopped else "succeeded"
            if _is_main_process():
                journal.progress(state=state, step=result.step, steps=spec.config.update.steps, remark=result.remark)
            return result
    except BusyError:
        raise  # the other process tells how the run is
    except Exception as error:
        message = _explain(error, folder)
        with suppress(OSError):
            journal.progress(state="failed", error=message)
        if message == str(error) and isinstance(error, RunError):
            raise
        raise RunError(message) from error
    finally:
        journal.close()


class Attempt:
    """One process's work on a run."""

    def __init__(
        self,
        folder: Path,
        spec: Spec,
        journal: Journal,
        observer: Observer,
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
            if _is_main_process():
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
        if _is_main_process():
            self.journal.rewind(resumed_from or 0)
        if checkpoint is None or resumed_from != self.config.update.steps:
            self._check_downstream()
            self._learn(train, checkpoint)
        if not _is_main_process():
            # Rank 0 answers for all. A status of its own would have the launcher end rank 0 in the middle of its work.
            return Result(False, self.config.update.steps, resumed_from)
        last, _ = latest(self.folder / CHECKPOINTS)
        reached = 0 if last is None else step_of(last)
        evaluated = reached in self.journal.evaluations()
        if last is None or reached < self.config.update.steps or (self.stop.is_set() and not evaluated):
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
            check_reachable(self.connection)
        except httpx.HTTPError as error:
            raise RunError(
                f"the downstream model at {self.connection.url} cannot be reached ({type(error).__name__}): "
                "start it and resume the run"
            ) from error

    def _learn(self, train: Dataset, checkpoint: Path | None) -> None:
        from services.trainer.grpo.learning import learn  # torch and TRL, which reading a run does without

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
        from services.trainer.grpo.learning import pick_device

        http, client = open_client(self.connection, self.config.answer, self.key)
        async with http:
            return await selection.try_policy(
                directory,
                self.start.template,
                self.validation.questions,
                self.scorer(client),
                max_tokens=self.config.rollout.max_tokens,
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
        if not _check_version_is_free(self.registry, self.config.version, self.folder.name):
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


def _check_version_is_free(registry: Registry, version: str, run: str) -> bool:
    """Tell a free name (True) from one that this very run published (False); another's is an error."""
    try:
        path = registry.policy_path(version)
    except RegistryError:
        return True
    with suppress(OSError, ValueError):
        if json.loads((path / "provenance.json").read_text(encoding="utf-8")).get("run") == run:
            return False
    raise VersionTakenError(
        f"the registry has a version {version!r} already, and versions never change: choose another name"
    )


def _answer_template(source: str) -> PromptTemplate:
    try:
        return load_answer_template(source)
    except (OSError, ValueError) as error:
        raise RunError(f"answer template {source}: {error}") from error


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep a second process off a run; processes that one launcher started together share it."""
    with (folder / ".lock").open("w") as lock:
        try:
            # Ranks other than 0 hold nothing: rank 0 answers for all.
            if _is_main_process():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"another process is at work on {folder}") from None
        yield


def _is_main_process() -> bool:
    return os.environ.get("RANK", "0") == "0"  # as torchrun and accelerate set it


def _explain(error: Exception, folder: Path) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, ExceptionGroup):
        return _explain(error.exceptions[0], folder) if isinstance(error.exceptions[0], Exception) else text
    if (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}) or any(
        words in text for words in _NO_ROOM
    ):
        return f"the disk is full: free space where {folder} lies and resume the run; its last whole checkpoint is kept"
    if isinstance(error, TooManyLostError):
        return f"stopped: {text}. When the downstream service is back, resume the run: it goes on from its checkpoint"
    if isinstance(error, RunError | StartError | DataError | DatasetError | ImageEgressRefusedError):
        return text
    return f"{type(error).__name__}: {text}"
