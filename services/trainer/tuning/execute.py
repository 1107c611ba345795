"""Execution of a prepared tuning run: shots, epochs with a checkpoint after each, figures, publication."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from prompt4trust.datasets import Dataset
from prompt4trust.errors import Prompt4TrustError
from prompt4trust.files import written_atomically
from services.common.contrastive.model import ContrastiveModel
from services.common.contrastive.tasks import few_shots, find_tasks
from services.common.contrastive.tuner import LabelledPictures, Tuner, TuningSettings
from services.common.engine.errors import EngineError
from services.common.engine.parts.store import PartStore
from services.common.registry.directory import Registry
from services.trainer.errors import DataError, RunError
from services.trainer.grpo.journal import RunObserver
from services.trainer.grpo.learning.training_data import check_apart
from services.trainer.question_data import load_questions
from services.trainer.run_files.provenance import hash_weights
from services.trainer.tuning.assessment import assess, encode_pictures
from services.trainer.tuning.config import TuningConfig, TuningSpec
from services.trainer.tuning.journal import TuningJournal
from services.trainer.tuning.preparing import check_version_is_free, read_spec
from services.trainer.tuning.publication import publish

CHECKPOINT = "checkpoint.safetensors"
# RuntimeError is torch's, for memory that is not there among others.
_ENDS = (Prompt4TrustError, DataError, EngineError, RunError, OSError, ValueError, RuntimeError)


@dataclass(frozen=True, slots=True)
class TuningResult:
    """The end of a run.

    Attributes:
        stopped: It was stopped before its end, and can be resumed.
        epoch: The last epoch that the checkpoint holds.
        published: The model's directory, or None.
    """

    stopped: bool
    epoch: int
    published: Path | None = None


def execute(folder: Path, *, stop: threading.Event, observer: RunObserver | None = None) -> TuningResult:
    """Tune, or go on tuning, then measure and publish.

    Args:
        folder: The run's folder, with its config.json.
        stop: Ends the run after the epoch in progress; its checkpoint is kept.
        observer: Told of every epoch, or None.

    Raises:
        RunError: If the run cannot go on; progress.json says why, too.
    """
    spec = read_spec(folder)
    journal = TuningJournal(folder, spec.config.epochs, observer)
    try:
        result = _run(folder, spec, journal, stop)
    except _ENDS as error:
        journal.finish("failed", str(error))
        raise RunError(str(error)) from error
    journal.finish("cancelled" if result.stopped else "succeeded")
    return result


def _run(folder: Path, spec: TuningSpec, journal: TuningJournal, stop: threading.Event) -> TuningResult:
    config = spec.config
    model = ContrastiveModel.load(spec.base, parts=PartStore(spec.parts or spec.registry / "cache" / "parts"))
    train = load_questions(config.train, spec.data)
    validation = load_questions(config.validation, spec.data)
    check_apart(train, validation)
    asked = [question for question in validation.questions if question.options]
    if not asked:
        raise DataError(f"{validation.name}: no question has options")
    # What is measured last is read and encoded first: what cannot be is told before epochs are spent on it.
    pictures = encode_pictures(model, asked)
    before = assess(model, asked, pictures, None)
    tuner = Tuner(model.encode_classes, model.width, model.scale, _draw_shots(model, train, config), _settings(config))
    assess(model, asked[:1], pictures[:1], tuner.context.detach())
    checkpoint = folder / CHECKPOINT
    weights = hash_weights(spec.base) or ""
    made_of = {"train": train.fingerprint, "validation": validation.fingerprint, "weights": weights}
    if checkpoint.is_file():
        _go_back_to(checkpoint, tuner, made_of)
    journal.go_back_to(tuner.epoch)
    while not tuner.finished:
        if stop.is_set():
            return TuningResult(True, tuner.epoch)
        figures = tuner.run_epoch()
        with written_atomically(checkpoint) as file:
            file.write(save(tuner.state(), metadata=made_of))
        journal.step(tuner.epoch, figures)
    figures_of = {
        "before": before,
        "after": assess(model, asked, pictures, tuner.context.detach()),
    }
    journal.evaluated(figures_of["before"], figures_of["after"])
    registry = Registry(spec.registry)
    place = registry.contrastive_path(config.version)
    if check_version_is_free(registry, config.version, folder.name):
        place = publish(spec, folder, tuner.context, {"train": train, "validation": validation}, figures_of)
    journal.note(f"published {config.version}")
    return TuningResult(False, tuner.epoch, place)


def _draw_shots(model: ContrastiveModel, train: Dataset, config: TuningConfig) -> list[LabelledPictures]:
    rows = []
    for task in find_tasks(train.questions):
        chosen = few_shots(task.labels, config.shots, config.seed)
        pictures = encode_pictures(model, [task.questions[row] for row in chosen])
        rows.append(LabelledPictures(task.classes, pictures, torch.tensor([task.labels[row] for row in chosen])))
    if not rows:
        raise DataError(f"{train.name}: no question has options, which are the classes to learn")
    return rows


def _settings(config: TuningConfig) -> TuningSettings:
    same = ("length", "learning_rate", "epochs", "batch", "alpha", "calibration", "separation", "seed")
    return TuningSettings(**{name: getattr(config, name) for name in same})


def _go_back_to(checkpoint: Path, tuner: Tuner, made_of: dict[str, str]) -> None:
    try:
        with safe_open(checkpoint, framework="pt") as file:
            kept = file.metadata() or {}
        if changed := [name for name, known in made_of.items() if kept.get(name) != known]:
            raise RunError(
                f"the checkpoint was made of other data than there is now ({', '.join(changed)}): begin a new run"
            )
        tuner.load_state(load_file(checkpoint))
    except (SafetensorError, KeyError) as error:
        raise RunError(f"the checkpoint cannot be read ({error}): begin a new run") from error
