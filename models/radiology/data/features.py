"""Cached features of pictures' views: what the frozen network makes of them, computed once."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.radiology.data.views import augmented, spoilt

BLANK = "_blank"


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """How many views there are of a picture.

    Attributes:
        augmented: Of each training picture.
        spoilt: Of each training picture.
        spoilt_held: Of each picture of `calibration` and `validation`; test pictures are seen as they are.
    """

    augmented: int = 5
    spoilt: int = 2
    spoilt_held: int = 1


@dataclass(frozen=True, slots=True)
class Views:
    """Features of all views in one tensor.

    Attributes:
        features: bfloat16 [views, picture tokens, feature width].
        clean: Picture -> the place of its clean view.
        augmented: Picture -> places of its augmented views.
        spoilt: Picture -> places of its spoilt views.
        blank: The place of a grey picture.
    """

    features: Tensor
    clean: Mapping[str, int]
    augmented: Mapping[str, tuple[int, ...]]
    spoilt: Mapping[str, tuple[int, ...]]
    blank: int


def compute_views(
    folder: Path,
    splits: Mapping[str, str],
    plan: ViewPlan,
    seed: int,
    features_of: Callable[[list[Image.Image]], Tensor],
    file: Path,
    log: Callable[[str], None],
) -> None:
    """Compute the features of all views and keep them in a file.

    Args:
        folder: Of the pictures.
        splits: Picture -> split.
        plan: How many views.
        seed: Of the views.
        features_of: Pictures to features.
        file: Is written once, at the end.
        log: Takes lines of progress.
    """
    found: dict[str, Tensor] = {}
    for number, (picture, split) in enumerate(sorted(splits.items())):
        with Image.open(folder / picture) as opened:
            own = opened.convert("RGB")
        rng = random.Random(f"{seed} {picture}")
        views = [own, *(augmented(own, rng) for _ in range(_augmented(plan, split)))]
        views += [spoilt(own, rng) for _ in range(_spoilt(plan, split))]
        found[picture] = features_of(views).to(torch.bfloat16).contiguous()
        if number % 40 == 0:
            log(f"features of picture {number} of {len(splits)}")
    found[BLANK] = features_of([Image.new("RGB", (384, 384), (127, 127, 127))]).to(torch.bfloat16).contiguous()
    save_file(found, file)


def read_views(file: Path, splits: Mapping[str, str], plan: ViewPlan) -> Views:
    """Read what `compute_views` wrote.

    Raises:
        ValueError: If the file holds other numbers of views than the plan asks for.
    """
    stored = load_file(file)
    parts: list[Tensor] = []
    clean: dict[str, int] = {}
    changed: dict[str, tuple[int, ...]] = {}
    hard: dict[str, tuple[int, ...]] = {}
    at = 0
    for picture, split in sorted(splits.items()):
        parts.append(stored[picture])
        n = _augmented(plan, split)
        if len(stored[picture]) != 1 + n + _spoilt(plan, split):
            raise ValueError(f"{file} was made by another plan of views: name another --work")
        clean[picture] = at
        changed[picture] = tuple(range(at + 1, at + 1 + n))
        hard[picture] = tuple(range(at + 1 + n, at + 1 + n + _spoilt(plan, split)))
        at += len(stored[picture])
    parts.append(stored[BLANK][:1])
    return Views(torch.cat(parts), clean, changed, hard, at)


def _augmented(plan: ViewPlan, split: str) -> int:
    return plan.augmented if split == "train" else 0


def _spoilt(plan: ViewPlan, split: str) -> int:
    return {"train": plan.spoilt, "test": 0}.get(split, plan.spoilt_held)
