"""Fifths of real pictures, each with a projection, shots and a context that have not seen it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.calibprompt.tuned import BASE_LOSS, Case, Floats, Split, tuned_texts
from models.contrastive_radiology.labels import CLASSES
from models.contrastive_radiology.projection import Rows, cross_fitted, fit_scale, train_projection
from models.contrastive_radiology.stages import Workshop
from services.common.contrastive.model import ContrastiveModel
from services.common.contrastive.part_towers import PictureProjection
from services.common.contrastive.tasks import few_shots
from services.common.contrastive.tuner import LabelledPictures

USED_SPLITS = ("train", "validation", "calibration")
"""The test split is left alone."""


@dataclass(frozen=True, slots=True)
class Division:
    """Pictures by what they are for, each a place in one list.

    Attributes:
        taught: The projection learns from these.
        shots: Shots are drawn from these.
        held: These are answered.
    """

    taught: Tensor
    shots: Tensor
    held: Tensor


def divisions(classes: Sequence[str], folds: int) -> list[Division]:
    """Divide pictures so that each is answered once, every class in like shares.

    Args:
        classes: Class of each picture.
        folds: Number of divisions, at least 2.

    Example:
        >>> first, second = divisions(["Head"] * 4 + ["Chest"] * 4, 2)
        >>> sorted(first.held.tolist() + second.held.tolist()) == list(range(8))
        True
        >>> [len(first.taught), len(first.shots), len(first.held)]
        [2, 2, 4]
    """
    order = _by_class(classes, range(len(classes)), "folds")
    found = []
    for fold in range(folds):
        held = order[fold::folds]
        others = _by_class(classes, sorted(set(order) - set(held)), f"halves {fold}")
        found.append(Division(*(torch.tensor(each) for each in (others[::2], others[1::2], held))))
    return found


def _by_class(classes: Sequence[str], places: Sequence[int], seed: str) -> list[int]:
    shuffled = random.Random(seed).sample(list(places), len(places))
    return sorted(shuffled, key=lambda place: classes[place])


@dataclass(frozen=True, slots=True)
class Fold:
    """A division seen through a projection of its own.

    Attributes:
        seed: Of the projection and, by its combinations, of shots, context and order.
        scale: Factor of the cosines.
        shots: What shots are drawn from.
        held: What is answered.
    """

    seed: int
    scale: float
    shots: Split
    held: Split


def prepare_fold(shop: Workshop, rows: Rows, division: Division, seed: int) -> Fold:
    """Train a projection by the recipe, and fit the cosines' factor by cross-fitting among the same pictures."""
    taught, settings = rows.part(division.taught), shop.plan.settings
    scale = math.exp(fit_scale(cross_fitted(taught, shop.texts, settings, seed)))
    projection, _ = train_projection(taught, shop.texts, settings, seed)
    return Fold(
        seed, scale, _seen(projection, rows.part(division.shots)), _seen(projection, rows.part(division.held))
    )  # fmt: skip


@torch.no_grad()
def _seen(projection: PictureProjection, rows: Rows) -> Split:
    pictures = functional.normalize(projection(rows.views[:, 0]), dim=-1)
    return Split(pictures, {task: labels.numpy() for task, labels in rows.labels.items()})


def run_fold_case(model: ContrastiveModel, fold: Fold, case: Case, own: Tensor) -> dict[str, Floats]:
    """Tune a context on a fold's shots, and answer its pictures.

    Args:
        model: Encodes classes behind a context.
        fold: Pictures and the cosines' factor.
        case: The combination; its family is a task of `CLASSES`.
        own: The classes in the model's own wording, float32 [classes, d].

    Returns:
        "plain": probabilities as tuned, float32 [n, classes]; with cross-entropy also "scaled", by a temperature of the
        same shots, and "untuned", those of the model's own wording.
    """
    pictures, labels = fold.shots.of(case.family)
    rows = few_shots(labels.tolist(), case.shots, case.seed)
    learnt = LabelledPictures(tuple(CLASSES[case.family]), pictures[rows], torch.from_numpy(labels[rows]))
    seen, _ = fold.held.of(case.family)
    likeness = seen @ tuned_texts(model, fold.scale, learnt, case).T
    found = {"plain": _shares(likeness, fold.scale)}
    if case.loss == BASE_LOSS:
        found["scaled"] = _shares(likeness, _fitted_scale(model, fold, case, learnt))
        found["untuned"] = _shares(seen @ own.T, fold.scale)
    return found


def _shares(likeness: Tensor, scale: float) -> Floats:
    return np.asarray((scale * likeness).softmax(dim=-1).numpy(), dtype=np.float32)


def _fitted_scale(model: ContrastiveModel, fold: Fold, case: Case, learnt: LabelledPictures) -> float:
    """Fit the factor to the shots, each compared with classes behind a context tuned on the other half of them.

    No label more is taken than the other losses have. All shots may be answered rightly, so that the recipe's smoothed
    fit is used: the plain one would make it sure beyond any bound.
    """
    first = few_shots(learnt.labels.tolist(), (case.shots + 1) // 2, case.seed)
    second = sorted(set(range(len(learnt.labels))) - set(first))
    compared = []
    for mine, others in ((first, second), (second, first)):
        half = LabelledPictures(learnt.classes, learnt.pictures[mine], learnt.labels[mine])
        compared.append((learnt.pictures[others] @ tuned_texts(model, fold.scale, half, case).T, learnt.labels[others]))
    likeness, labels = (torch.cat(each) for each in zip(*compared, strict=True))
    return math.exp(fit_scale({case.family: (likeness, labels)}))
