"""The projection: trained on pictures' features against frozen texts, its scale fitted on other pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.contrastive_radiology.labels import CLASSES, Labelled
from services.common.contrastive.losses import smoothed_targets
from services.common.contrastive.part_towers import PictureProjection

PROMPT = "a medical picture: {option}"
"""Wording that the shipped model puts an option into; one of the training's."""
WORDINGS = (
    PROMPT,
    "{option}",
    "this is {option}.",
    "it shows {option}",
    "the answer is {option}",
    "{option}, a scan",
)
_LARGEST_SCALE = 4.6052  # log(100), CLIP's own bound

Encode = Callable[[Sequence[str]], Tensor]
"""Texts to unit vectors [texts, d]."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the projection is trained; nothing was searched for.

    Attributes:
        steps, learning_rate, weight_decay: Of AdamW, with a cosine to 0; each step takes every picture once.
        dropout: Share of the features that a step does not see.
        smoothing: Of the labels.
        folds: Of the cross-validation.
    """

    steps: int = 400
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    dropout: float = 0.3
    smoothing: float = 0.05
    folds: int = 5


@dataclass(frozen=True, slots=True)
class Texts:
    """Vectors of the classes' texts.

    Attributes:
        worded: Task -> float32 [classes, names and wordings, d]: what training draws from.
        served: Task -> float32 [classes, d]: each class by its own name, in the shipped wording.
    """

    worded: Mapping[str, Tensor]
    served: Mapping[str, Tensor]

    @classmethod
    def encode(cls, encode: Encode) -> Texts:
        """Encode all names in all wordings."""
        worded = {
            task: torch.stack(
                [encode([w.format(option=name) for name in names for w in WORDINGS]) for names in classes.values()]
            )
            for task, classes in CLASSES.items()
        }
        served = {task: encode([PROMPT.format(option=name) for name in classes]) for task, classes in CLASSES.items()}
        return cls(worded, served)


@dataclass(frozen=True, slots=True)
class Rows:
    """Pictures with their views' features.

    Attributes:
        views: float32 [pictures, views, width], the clean view first.
        labels: Task -> int64 [pictures], -1 where nothing is known.
    """

    views: Tensor
    labels: Mapping[str, Tensor]

    @classmethod
    def of(cls, labelled: Sequence[Labelled], features: Mapping[str, Tensor], views: int) -> Rows:
        """Gather rows: as many views of each picture as are asked for.

        Raises:
            ValueError: If a picture has fewer.
        """
        if few := [each.picture for each in labelled if len(features[each.picture]) < views]:
            raise ValueError(f"{len(few)} pictures have fewer than {views} views")
        places = {task: {name: place for place, name in enumerate(classes)} for task, classes in CLASSES.items()}
        labels = {
            task: torch.tensor([at[each.classes[task]] if task in each.classes else -1 for each in labelled])
            for task, at in places.items()
        }
        return cls(torch.stack([features[each.picture][:views] for each in labelled]), labels)

    def part(self, chosen: Tensor) -> Rows:
        """Choose pictures by their places."""
        return Rows(self.views[chosen], {task: labels[chosen] for task, labels in self.labels.items()})


def train_projection(rows: Rows, texts: Texts, settings: Settings, seed: int) -> tuple[PictureProjection, float]:
    """Train a projection, so that a picture lies by the texts of its classes.

    Args:
        rows: Pictures to learn from.
        texts: The classes' texts, which stay as they are.
        settings: How.
        seed: Of the weights, the views, the wordings and the dropout.

    Returns:
        The projection and the logarithm of the cosines' factor.
    """
    torch.manual_seed(seed)
    width = next(iter(texts.served.values())).shape[-1]
    projection = PictureProjection(rows.views.shape[-1], width)
    scale = torch.nn.Parameter(torch.tensor(3.0))
    decayed = {"params": projection.parameters(), "weight_decay": settings.weight_decay}
    optimizer = torch.optim.AdamW([decayed, {"params": [scale], "weight_decay": 0}], settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    count, views = rows.views.shape[:2]
    for _ in range(settings.steps):
        seen = rows.views[torch.arange(count), torch.randint(views, (count,))]
        pictures = functional.normalize(projection(functional.dropout(seen, settings.dropout)), dim=-1)
        losses = []
        for task, worded in texts.worded.items():
            told = worded[torch.arange(len(worded)), torch.randint(worded.shape[1], (len(worded),))]
            known = rows.labels[task] >= 0
            if known.any():
                logits = scale.exp() * pictures[known] @ told.T
                losses.append(
                    functional.cross_entropy(logits, rows.labels[task][known], label_smoothing=settings.smoothing)
                )
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            scale.clamp_(max=_LARGEST_SCALE)
    return projection.eval(), scale.item()


@torch.no_grad()
def cosines(projection: PictureProjection, rows: Rows, texts: Texts) -> dict[str, tuple[Tensor, Tensor]]:
    """Compare pictures as they are with the classes as they are served.

    Returns:
        Task -> cosines [known pictures, classes] and right classes [known pictures].
    """
    pictures = functional.normalize(projection(rows.views[:, 0]), dim=-1)
    found = {}
    for task, told in texts.served.items():
        known = rows.labels[task] >= 0
        found[task] = (pictures[known] @ told.T, rows.labels[task][known])
    return found


def fit_scale(compared: Mapping[str, tuple[Tensor, Tensor]]) -> float:
    """Fit the cosines' factor to pictures that taught nothing, by their mean log loss over all tasks.

    The right class is worth 1 - 1 / (n + 2) and not 1, n being the task's pictures, and the others share the rest
    (Platt 1999): where all are answered rightly, a few pictures would otherwise make it sure beyond any bound.

    Args:
        compared: As `cosines` gives it.

    Returns:
        Its logarithm, in 0 to log(100) in steps of .01.
    """
    grid = torch.arange(0, _LARGEST_SCALE, 0.01)
    losses = torch.zeros(len(grid))
    for likeness, labels in compared.values():
        if n := len(labels):
            targets = smoothed_targets(labels, likeness.shape[-1], 1 / (n + 2))
            log_shares = functional.log_softmax(grid.exp()[:, None, None] * likeness[None], dim=-1)
            losses -= (targets * log_shares).sum(dim=(1, 2))
    return float(grid[losses.argmin()])


def cross_fitted(rows: Rows, texts: Texts, settings: Settings, seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Compare each picture with the classes by a projection that has not seen it.

    Returns:
        As `cosines` gives it, fold by fold.
    """
    order = torch.randperm(len(rows.views), generator=torch.Generator().manual_seed(seed))
    found: dict[str, list[tuple[Tensor, Tensor]]] = {task: [] for task in texts.served}
    for fold in range(settings.folds):
        held = order[fold :: settings.folds]
        others = order[torch.arange(len(order)) % settings.folds != fold]
        projection, _ = train_projection(rows.part(others), texts, settings, seed)
        for task, compared in cosines(projection, rows.part(held), texts).items():
            found[task].append(compared)
    return {task: (torch.cat([a for a, _ in each]), torch.cat([b for _, b in each])) for task, each in found.items()}


def cross_validated(rows: Rows, texts: Texts, settings: Settings, seed: int) -> dict[str, list[tuple[int, int]]]:
    """Answer each picture by a projection that has not seen it.

    Returns:
        Task -> the answer's and the right class's place, for each picture that has one.
    """
    compared = cross_fitted(rows, texts, settings, seed)
    return {
        task: list(zip(likeness.argmax(dim=-1).tolist(), labels.tolist(), strict=True))
        for task, (likeness, labels) in compared.items()
    }
