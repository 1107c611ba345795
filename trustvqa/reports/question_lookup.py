"""The questions of an earlier run, found again and made sure to be the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prompt4trust.datasets import KINDS, CopBase, Dataset, DatasetError, Kind, Source, fingerprint, load_dataset
from prompt4trust.evaluation.manifest import RunManifest
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.questions import Question
from trustvqa.reports.errors import WrongDataError


@dataclass(frozen=True, slots=True)
class FoundQuestions:
    """The questions of a run, where they were found.

    Attributes:
        questions: The run's questions, empty where they are not at hand.
        note: What a reader must know, or "".
        detail: The same with the file's name, for who runs the command.
    """

    questions: tuple[Question, ...]
    note: str = ""
    detail: str = ""


def find_questions(
    manifest: RunManifest, predictions: Sequence[Prediction], path: Path | None = None, images: Path | None = None
) -> FoundQuestions:
    """Read a run's questions again.

    Args:
        manifest: What it was a run of.
        predictions: Its predictions and failures.
        path: The question file, or a folder that holds questions.csv; None for the one that the manifest names.
        images: Folder of the pictures, where it is not beside the file.

    Returns:
        The questions; none, with a note, where the file that the manifest names is gone or no longer what it was.

    Raises:
        DatasetError: If a file that was named cannot be read.
        WrongDataError: If a file that was named does not hold the run's questions as they were asked.
    """
    if path is not None:
        questions = _of_run(_load(path, images, manifest.source), predictions)
        if fault := _fault(questions, manifest, predictions):
            raise WrongDataError(f"{path} is not what this run was asked from: {fault}")
        return FoundQuestions(questions)
    source = manifest.source
    if source is None:
        note = "The run does not say where its questions lie: questions and pictures are not shown."
        return FoundQuestions((), note, f"{note} Name their file with --data.")
    place = images or (Path(source.images) if source.images else None)
    try:
        questions = _of_run(_load(Path(source.path), place, source), predictions)
    except DatasetError as error:
        note = "The questions' file or its pictures were not found: questions and pictures are not shown."
        return FoundQuestions((), note, f"{note} {error}. Name another with --data.")
    if fault := _fault(questions, manifest, predictions):
        note = "The questions' file has changed since the run: questions and pictures are not shown."
        return FoundQuestions((), note, f"{note} {source.path}: {fault}.")
    return FoundQuestions(questions)


def _load(path: Path, images: Path | None, source: Source | None) -> Dataset:
    """Read a file as the run's own was read."""
    known: Mapping[str | None, Kind] = {each: each for each in KINDS}
    bases: Mapping[int | None, CopBase] = {0: 0, 1: 1}
    kind, columns, base = (source.kind, source.columns, source.cop_base) if source else (None, None, None)
    return load_dataset(path, known.get(kind), images=images, on_bad="skip", columns=columns, cop_base=bases.get(base))


def _of_run(dataset: Dataset, predictions: Sequence[Prediction]) -> tuple[Question, ...]:
    asked = {row.id for row in predictions}
    return tuple(question for question in dataset.questions if question.id in asked)


def _fault(questions: Sequence[Question], manifest: RunManifest, predictions: Sequence[Prediction]) -> str:
    """Describe in what the questions are not those that were asked, or give ""."""
    asked = {row.id: row.truth for row in predictions}
    missing = len(asked) - len(questions)
    if missing:
        return f"{missing} of the {len(asked)} questions that were asked are not in it, or without their picture"
    if any(question.answer != asked[question.id] for question in questions):
        return "other answers are right in it"
    # A run that was broken off lacks questions, so that its fingerprint cannot be had: ids are made of the content.
    if len(asked) == manifest.questions and fingerprint(questions) != manifest.data_hash:
        return "its questions or pictures have changed"
    return ""
