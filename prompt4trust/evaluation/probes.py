"""Probes: the same questions spoilt in a known way, to see whether the confidence notices.

Later work found that accuracy collapses where a question cannot be answered, while the stated confidence hardly moves
(arXiv 2606.16583). A probe asks every estimator the spoilt questions and pairs each answer with the unspoilt one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from prompt4trust.datasets import Dataset
from prompt4trust.errors import ProbeError, UnreadablePictureError
from prompt4trust.evaluation.figures import Estimate
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.picture_files import picture_size
from prompt4trust.questions import Question

NONE_OPTION = "None of the above"
CONFIDENT = 0.9
_GREY = 128


class ProbeFigures(BaseModel):
    """One estimator's figures on a probe, over the questions that it was asked in both forms.

    Attributes:
        estimator: Its name.
        n: Questions with a prediction in both forms; a reply without a verdict counts as wrong.
        paired: Those with a verdict in both forms, over which confidences are compared.
        accuracy: Unspoilt and spoilt, the latter against the probe's own truth.
        mean_confidence: Unspoilt and spoilt, over the paired ones.
        moved: Mean change of the confidence from unspoilt to spoilt, negative where it falls.
        confident_error_share: Errors on spoilt questions stated at 0.9 or more, as a share of these errors; None where
            there is no error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimator: str
    n: int
    paired: int
    accuracy: tuple[float | None, float | None]
    mean_confidence: tuple[float | None, float | None]
    moved: Estimate
    confident_error_share: float | None


Spoil = Callable[[Question, Path], Question | str]
"""Question and a folder for pictures -> the spoilt question, or why it cannot be spoilt."""


def _blank_image(question: Question, folder: Path) -> Question | str:
    if question.image is None:
        return "no picture to blank"
    try:
        width, height = picture_size(question.image)
    except UnreadablePictureError:
        return "the picture does not open"
    path = folder / f"blank-{width}x{height}.png"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        Image.new("L", (width, height), _GREY).save(unfinished, "PNG")
        unfinished.replace(path)
    return replace(question, image=path)


def _right_option_removed(question: Question, _: Path) -> Question | str:
    if question.answer is None or not question.options:
        return "no options, or no known right one"
    if any(text.casefold().strip(" .") == NONE_OPTION.casefold() for text in question.options.values()):
        return "an option already says that none is right"
    options = {letter: NONE_OPTION if letter == question.answer else text for letter, text in question.options.items()}
    return replace(question, options=MappingProxyType(options))


PROBES: Mapping[str, Spoil] = MappingProxyType(
    {"blank-image": _blank_image, "right-option-removed": _right_option_removed}
)
"""blank-image: an even grey of the same size takes the picture's place; the truth stays, so that accuracy should fall
to what the words alone give away, and the confidence with it. right-option-removed: "None of the above" takes the right
option's place and letter, and is then the truth; letters stay as evenly used as they were."""


def spoil(dataset: Dataset, probe: str, folder: Path) -> Dataset:
    """Spoil a dataset's questions.

    Args:
        dataset: The questions.
        probe: One of `PROBES`.
        folder: Folder for pictures; it is made where it is missing.

    Returns:
        The spoilt questions under their own ids, and why others were left out.

    Raises:
        KeyError: If there is no such probe.
        ProbeError: If no question can be spoilt.
    """
    change = PROBES[probe]
    folder.mkdir(parents=True, exist_ok=True)
    kept: list[Question] = []
    left: Counter[str] = Counter()
    for question in dataset.questions:
        changed = change(question, folder)
        if isinstance(changed, Question):
            kept.append(changed)
        else:
            left[changed] += 1
    if not kept:
        raise ProbeError(f"probe {probe}: no question can be asked ({', '.join(left)})")
    return Dataset(f"{dataset.name}, {probe}", tuple(kept), dict(left))


def compare(
    plain: Iterable[Prediction],
    spoilt: Iterable[Prediction],
    estimators: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> list[ProbeFigures]:
    """Compare each estimator's answers to the unspoilt and the spoilt questions.

    Args:
        plain: Predictions on the unspoilt questions.
        spoilt: Predictions on the spoilt ones.
        estimators: Their names, in order.
        resamples: Bootstrap resamples of the questions for the interval of the change.
        seed: Seed of the bootstrap.

    Returns:
        One entry an estimator.
    """
    before = {row.key: row for row in plain if row.failure is None and row.is_labelled}
    after = [row for row in spoilt if row.failure is None and row.is_labelled and row.key in before]
    return [
        _figures(name, [(before[row.key], row) for row in after if row.estimator == name], resamples, seed)
        for name in estimators
    ]


def _figures(estimator: str, pairs: Sequence[tuple[Prediction, Prediction]], resamples: int, seed: int) -> ProbeFigures:
    stated = np.array(
        [(old.confidence, new.confidence) for old, new in pairs if None not in (old.confidence, new.confidence)],
        dtype=np.float64,
    ).reshape(-1, 2)
    errors = [new for _, new in pairs if not new.correct]
    return ProbeFigures(
        estimator=estimator,
        n=len(pairs),
        paired=len(stated),
        accuracy=(_mean([old.correct for old, _ in pairs]), _mean([new.correct for _, new in pairs])),
        mean_confidence=(_mean(stated[:, 0].tolist()), _mean(stated[:, 1].tolist())),
        moved=_moved(stated[:, 1] - stated[:, 0], resamples, seed),
        confident_error_share=_mean([(row.confidence or 0) >= CONFIDENT for row in errors]),
    )


def _moved(changes: np.typing.NDArray[np.float64], resamples: int, seed: int) -> Estimate:
    if not len(changes):
        return Estimate(value=None, low=None, high=None)
    random = np.random.default_rng(seed)
    means = [changes[random.integers(0, len(changes), len(changes))].mean() for _ in range(resamples)]
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(value=float(changes.mean()), low=float(low), high=float(high))


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
