"""Contexts tuned by each loss on few shots: probabilities on the test pictures, a file for each combination."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import minimize_scalar
from torch import Tensor

from prompt4trust.datasets.phantoms import FAMILIES, render
from prompt4trust.datasets.phantoms.generator import samples
from services.common.contrastive.model import ContrastiveModel
from services.common.contrastive.tasks import few_shots
from services.common.contrastive.tuner import LabelledPictures, Tuner, TuningSettings

Floats = NDArray[np.float32]
_BASE = TuningSettings(alpha=0.0, calibration=0.0, separation=0.0)
BASE_LOSS = "cross-entropy"
"""Loss that the others are compared with."""
LOSSES: Mapping[str, TuningSettings] = {
    BASE_LOSS: _BASE,
    "SMAC": replace(_BASE, alpha=0.1, calibration=1.0),
    "both": replace(_BASE, alpha=0.1, calibration=1.0, separation=0.1),
}
"""Losses by the names that the table has."""


@dataclass(frozen=True, slots=True)
class Split:
    """Pictures of one split.

    Attributes:
        pictures: Unit vectors, float32 [n, d].
        labels: Family -> its value's index for each picture, -1 where there is none.
    """

    pictures: Tensor
    labels: Mapping[str, NDArray[np.int64]]

    def of(self, family: str) -> tuple[Tensor, NDArray[np.int64]]:
        """Choose the pictures that a family is defined for."""
        known = self.labels[family] >= 0
        return self.pictures[torch.from_numpy(known)], self.labels[family][known]


@dataclass(frozen=True, slots=True)
class Case:
    """One combination.

    Attributes:
        family: The task; its values are the classes.
        loss: A name of `LOSSES`.
        shots: Pictures of each class.
        seed: Of the shots, the context and the order.
    """

    family: str
    loss: str
    shots: int
    seed: int

    @property
    def file(self) -> str:
        """Name of the file that its probabilities are kept in."""
        return f"{self.family}-{self.loss}-{self.shots}-{self.seed}.npz"


def cases(families: Sequence[str], shots: Sequence[int], seeds: int) -> Iterator[Case]:
    """List all combinations, seed by seed, so that a broken run has whole seeds."""
    for seed, each, family, loss in itertools.product(range(seeds), shots, families, LOSSES):
        yield Case(family, loss, each, seed)


def encode_split(model: ContrastiveModel, n: int, split: str, seed: int) -> Split:
    """Draw pictures of a split and encode them."""
    vectors, labels = [], []
    drawn = samples(n, seed, split)
    for part in iter(lambda: list(itertools.islice(drawn, 100)), []):
        vectors.append(model.encode_pictures([Image.fromarray(render(scene)) for scene, _ in part]))
        labels += [
            [-1 if (gold := scene.values[name]) is None else values.index(gold) for name, values in FAMILIES.items()]
            for scene, _ in part
        ]
    table = np.array(labels, dtype=np.int64)
    return Split(torch.cat(vectors), {name: table[:, place] for place, name in enumerate(FAMILIES)})


def run_case(model: ContrastiveModel, case: Case, train: Split, held: Split, test: Split) -> dict[str, Floats]:
    """Tune a context and look at the test pictures.

    Returns:
        "plain" and "scaled": probabilities, float32 [n, classes], as tuned and with a temperature that was fitted to as
        many shots of the calibration split; "untuned": those of the model's own wording.
    """
    classes = FAMILIES[case.family]
    pictures, labels = train.of(case.family)
    rows = few_shots(labels.tolist(), case.shots, case.seed)
    learnt = LabelledPictures(classes, pictures[rows], torch.from_numpy(labels[rows]))
    texts = tuned_texts(model, model.scale, learnt, case)
    seen, known = held.of(case.family)
    rows = few_shots(known.tolist(), case.shots, case.seed)
    temperature = fit_temperature(model.scale * seen[rows] @ texts.T, known[rows])
    logits = model.scale * test.of(case.family)[0] @ texts.T
    own = model.scale * test.of(case.family)[0] @ model.encode_options(classes).T
    return {
        "plain": logits.softmax(dim=-1).numpy(),
        "scaled": (logits / temperature).softmax(dim=-1).numpy(),
        "untuned": own.softmax(dim=-1).numpy(),
    }


def tuned_texts(model: ContrastiveModel, scale: float, learnt: LabelledPictures, case: Case) -> Tensor:
    """Tune a context by a combination's loss and seed.

    Args:
        model: Encodes the classes behind the context.
        scale: Factor of the cosines.
        learnt: The shots.
        case: The combination.

    Returns:
        Unit vectors of the classes behind the context, float32 [classes, d].
    """
    settings = replace(LOSSES[case.loss], seed=case.seed)
    tuner = Tuner(model.encode_classes, model.width, scale, [learnt], settings)
    while not tuner.finished:
        tuner.run_epoch()
    with torch.no_grad():
        return model.encode_classes(learnt.classes, tuner.context)


def fit_temperature(logits: Tensor, labels: NDArray[np.int64]) -> float:
    """Find the temperature of least log loss, between .05 and 20.

    Example:
        >>> round(fit_temperature(torch.tensor([[3.0, 0.0]] * 4), np.array([0, 0, 0, 1])), 2)
        2.73
    """
    gold = torch.from_numpy(labels)

    def loss(log_temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / float(np.exp(log_temperature)), gold))

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def keep(folder: Path, case: Case, found: Mapping[str, Floats]) -> None:
    """Write a combination's probabilities; they appear whole or not at all."""
    new = folder / f".{case.file}"
    np.savez_compressed(new, **found)  # type: ignore[arg-type]  # the stub takes the names for its own options
    new.rename(folder / case.file)
