"""One process's work on a training run: learn, evaluate checkpoints, choose, publish."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from prompt4trust.datasets import Dataset
from services.trainer.downstream_address import check_downstream
from services.trainer.errors import RunError, WrongAddressError
from services.trainer.grpo.checkpoints.assessment import Assessor
from services.trainer.grpo.checkpoints.publication import describe_origin, publish
from services.trainer.grpo.checkpoints.ranking import best_of, is_better
from services.trainer.grpo.checkpoints.seals import latest, step_of
from services.trainer.grpo.checkpoints.selection import find_best
from services.trainer.grpo.config.training_config import RolloutConfig
from services.trainer.grpo.context import RunContext, is_main_process
from services.trainer.grpo.learning.difficulty import describe_difficulty
from services.trainer.grpo.learning.training_data import check_apart
from services.trainer.grpo.resume import find_resume_point
from services.trainer.grpo.spec import check_version_is_free
from services.trainer.question_data import load_questions
from services.trainer.run_files.json_lines import read_lines
from services.trainer.run_files.progress import METRICS
from services.trainer.run_files.provenance import hash_weights


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The end of a run.

    Attributes:
        stopped: It was stopped before its end, and can be resumed.
        step: The last step that a checkpoint holds.
        resumed_from: The step it was resumed from, or None for a run that began anew.
        before: Evaluation of the policy it began with, or None where there was no time.
        best: Evaluation of its best checkpoint, or None.
        published: The version's directory, or None.
        remark: Reason why nothing was published; "" otherwise.
    """

    stopped: bool
    step: int
    resumed_from: int | None
    before: dict[str, Any] | None = None
    best: dict[str, Any] | None = None
    published: Path | None = None
    remark: str = ""


def attempt(run: RunContext) -> TrainingResult:
    """Begin a run or go on with it, then choose a checkpoint and publish it.

    Args:
        run: The run.

    Returns:
        How it ended.

    Raises:
        RunError: If the downstream service cannot be reached, or the version cannot be published.
        TrainerError: If the questions cannot be used, or too many of them could not be scored.
    """
    last_step = run.config.update.max_steps
    point = find_resume_point(run)
    if run.config.update.beta == 0:
        run.observer.note("beta is 0: nothing keeps the guidance language, and small policies drift into word salad")
    train = load_questions(run.config.train, run.connection.data)
    validation = load_questions(run.config.validation, run.connection.data)
    check_apart(train, validation)
    assessor = Assessor(run, validation.questions)
    if point.step != last_step:
        check_sampler(run.config.rollout)
        _check_downstream(run)
        from services.trainer.grpo.learning.trl_trainer import learn

        learn(run, assessor, train, point.checkpoint)
    if not is_main_process():
        # Rank 0 answers for all. A status of its own would have the launcher end rank 0 in the middle of its work.
        return TrainingResult(False, last_step, point.step)
    last, _ = latest(run.checkpoints)
    reached = 0 if last is None else step_of(last)
    evaluated = reached in run.journal.evaluations()
    if last is None or reached < last_step or (run.stop.is_set() and not evaluated):
        return TrainingResult(True, reached, point.step)
    if not evaluated:
        assessor.assess(last)
    return _conclude(run, train, validation, reached, point.step)


def check_sampler(rollout: RolloutConfig) -> None:
    """Make sure that what a configuration samples by is installed.

    Raises:
        RunError: If it is not.
    """
    if rollout.use_vllm and find_spec("vllm") is None:
        raise RunError(
            "the configuration samples by vLLM, which is not installed: install the extra train-gpu with "
            "constraints-gpu-trainer.txt, or set rollout.use_vllm to false"
        )


def _check_downstream(run: RunContext) -> None:
    # Told at once instead of after every retry of the first batch.
    try:
        check_downstream(run.connection.url, run.key)
    except WrongAddressError as error:
        raise RunError(f"{error}: begin a run with that address as downstream_url") from error
    except httpx.HTTPError as error:
        raise RunError(
            f"the downstream model at {run.connection.url} cannot be reached ({type(error).__name__}): "
            "start it and resume the run"
        ) from error


def _conclude(
    run: RunContext, train: Dataset, validation: Dataset, reached: int, resumed_from: int | None
) -> TrainingResult:
    evaluations, objective = run.journal.evaluations(), run.config.selection.objective
    before, best = evaluations.get(0), best_of(evaluations, objective)
    place = find_best(run.folder)
    if before is None or best is None or not place.is_dir():
        raise RunError(f"{run.folder} holds no evaluated checkpoint: was something removed from it?")
    if run.config.selection.must_improve and not is_better(best, before, objective):
        remark = f"no checkpoint beats {run.start.name} by {objective} on the validation questions"
        return TrainingResult(False, reached, resumed_from, before, best, None, f"{remark}: nothing was published")
    published = run.registry.root / "policies" / run.config.version
    if not check_version_is_free(run.registry, run.config.version, run.folder.name):
        return TrainingResult(False, reached, resumed_from, before, best, published)
    masked = sum(int(record.get("masked") or 0) for record in read_lines(run.folder / METRICS))
    weights = hash_weights(Path(run.start.source)) if Path(run.start.source).is_dir() else None
    origin = describe_origin(
        run=run.folder.name,
        parent=run.start.name,
        parent_weights=weights,
        config=run.config.model_dump(mode="json"),
        connection=run.connection.model_dump(mode="json"),
        data={
            name: {"name": data.name, "n": len(data.questions), "sha256": data.fingerprint}
            for name, data in (("train", train), ("validation", validation))
        },
        step=best["step"],
        masked=masked,
        difficulty=describe_difficulty(run.folder),
    )
    try:
        publish(place, run.registry, run.config.version, before=before, after=best, provenance=origin)
    except OSError as error:
        raise RunError(
            f"training is done, but {run.config.version} could not be written to the registry "
            f"({error.strerror or error}): put that right and resume the run, which then only publishes"
        ) from error
    return TrainingResult(False, reached, resumed_from, before, best, published)
