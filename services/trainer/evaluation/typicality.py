"""`--reference`: how near the questions of a run are to reference inputs, as a signal beside its answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prompt4trust.datasets import Dataset
from prompt4trust.errors import UnreadablePictureError
from prompt4trust.evaluation import Prediction, RunManifest
from prompt4trust.shift import QuestionTypicality, ReferenceArtifact
from services.trainer.errors import EvaluationError


def read_reference(path: Path) -> QuestionTypicality:
    """Read the reference inputs of a file.

    Raises:
        EvaluationError: If there is no such file, it is none of reference inputs, or one of another version.
    """
    try:
        return QuestionTypicality(ReferenceArtifact.load(path))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"--reference {path}: {error}") from error


def check_others(typicality: QuestionTypicality, dataset: Dataset) -> None:
    """Refuse questions that a reference was made from: what it says of these it says of no others.

    Raises:
        EvaluationError: If they are its very questions.
    """
    if typicality.made_from(dataset.fingerprint):
        raise EvaluationError(
            f"--reference {typicality.artifact.name} was made from these very questions, which are at no distance from "
            "themselves: a calibrator that was fitted on that would read other questions' distances wrongly. Make the "
            "reference from other questions of the same kind, with --also for these"
        )


def with_typicality(
    manifest: RunManifest, rows: Sequence[Prediction], dataset: Dataset, typicality: QuestionTypicality
) -> tuple[RunManifest, list[Prediction]]:
    """Put the signal beside an earlier run's answers, where the run does not have it; no model is asked.

    Args:
        manifest: The run's manifest.
        rows: Its predictions.
        dataset: Its questions.
        typicality: Says how near each is.

    Returns:
        Both as if the run had been asked with it. Failures stay as they are.

    Raises:
        EvaluationError: If a picture can no longer be read.
    """
    if manifest.typicality == typicality.signal:
        return manifest, list(rows)
    questions = {question.id: question for question in dataset.questions}
    found: dict[str, dict[str, float]] = {}
    made = []
    for row in rows:
        if row.failure is not None or row.id not in questions:
            made.append(row)
            continue
        try:
            if row.id not in found:
                found[row.id] = typicality.signals(questions[row.id])
        except UnreadablePictureError as error:
            raise EvaluationError(f"--reference: {error}") from error
        made.append(row.model_copy(update={"signals": {**row.signals, **found[row.id]}}))
    return manifest.model_copy(update={"typicality": typicality.signal}), made
