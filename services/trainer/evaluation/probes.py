"""The figures of a probe: how methods took spoilt questions, beside their answers to the unspoilt ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from prompt4trust.datasets import Dataset
from prompt4trust.evaluation import Prediction
from prompt4trust.evaluation.probes import ProbeFigures, compare, pointed_at
from prompt4trust.files import write_atomically

FILE = "probe.json"


def write_figures(
    folder: Path,
    name: str,
    asked: Dataset,
    plain: Sequence[Prediction],
    spoilt: Sequence[Prediction],
    estimators: Sequence[str],
    resamples: int,
) -> tuple[Path, list[ProbeFigures]]:
    """Compare the predictions for spoilt questions with those for unspoilt ones, and write the comparison down.

    Args:
        folder: The probe's folder.
        name: The probe.
        asked: The unspoilt questions.
        plain: Predictions for the unspoilt questions.
        spoilt: Predictions for the spoilt ones.
        estimators: The methods.
        resamples: Bootstrap resamples.

    Returns:
        The file, and what is in it.

    Raises:
        OSError: If it cannot be written.
    """
    pointed = {each.id: letter for each in asked.questions if (letter := pointed_at(each, name)) is not None}
    figures = list(compare(plain, spoilt, estimators, pointed=pointed, resamples=resamples))
    document = {"probe": name, "methods": [each.model_dump(mode="json") for each in figures]}
    path = folder / FILE
    write_atomically(path, json.dumps(document, indent=2) + "\n")
    return path, figures
