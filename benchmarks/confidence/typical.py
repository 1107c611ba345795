"""The default's answers with a further signal: how near each question is to reference inputs."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.serving.processes import ROOT
from prompt4trust.datasets import Dataset
from prompt4trust.evaluation import Prediction
from prompt4trust.shift import QuestionTypicality
from services.trainer.evaluation.typicality import check_others, read_reference

REFERENCE = ROOT / "models" / "references" / "phantom-vqa-calibration-pictures-2-words-2-description-2.json"
"""The shipped reference, of 3 000 questions of the calibration split, none of which the comparison asks."""


def shipped() -> QuestionTypicality:
    """Read the shipped reference."""
    return read_reference(REFERENCE)


def with_signal(
    method: str, answers: Sequence[Prediction], dataset: Dataset, typicality: QuestionTypicality
) -> list[Prediction]:
    """Put the signal beside answers; no model is asked.

    Args:
        method: Name of the row.
        answers: The answers.
        dataset: Their questions.
        typicality: Says how near each is.

    Raises:
        EvaluationError: If the reference was made from these very questions.
    """
    check_others(typicality, dataset)
    found = {question.id: typicality.signals(question) for question in dataset.questions}
    return [
        each.model_copy(update={"estimator": method, "signals": {**each.signals, **found[each.id]}}) for each in answers
    ]
