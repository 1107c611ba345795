"""Stage A: name the finding, then look its letter up; pictures come in as cached tokens of the frozen tower."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.recipe.data.pictures import Pictures, foreign_picture
from models.recipe.data.rows import (
    answer_row,
    any_hint,
    ask_foreign,
    ask_phantom,
    default_confidence,
    draw_hint,
    lookup_row,
    open_row,
)
from models.recipe.data.text import Row
from models.recipe.training.vision import run_tower, to_patches
from prompt4trust.prompts import PromptTemplate

# Of 48 rows: the rest are phantoms.
_LOOKUPS, _FOREIGN_QUESTIONS, _FOREIGN_PICTURES, _OPEN = 6 / 48, 4 / 48, 3 / 48, 2 / 48


@torch.no_grad()
def cache_features(visual: Any, pixels: NDArray[np.uint8], device: str) -> Tensor:
    """Run pictures uint8 [N, 112, 112] through the frozen tower once: float16 [N, 16, width] on the CPU."""
    parts = []
    for start in range(0, len(pixels), 200):
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            tokens = run_tower(visual, to_patches(pixels[start : start + 200]).to(device))
        parts.append(tokens.half().cpu())
    return torch.cat(parts)


def foreign_pixels(n: int, seed: int) -> NDArray[np.uint8]:
    """Make n pictures that are no phantoms."""
    rng = random.Random(seed)
    return np.stack([foreign_picture(rng) for _ in range(n)])


@dataclass(frozen=True, slots=True)
class AnswerRows:
    """Draws stage A's rows.

    Attributes:
        template: the downstream model's prompt template.
        pictures: phantoms whose features come first in the cache.
        foreign: number of other pictures, whose features follow.
    """

    template: PromptTemplate
    pictures: Pictures
    foreign: int

    def draw(self, rng: random.Random) -> Row:
        """Draw one row: a phantom with its gold answer, a bare look-up, or something foreign."""
        phantoms = len(self.pictures.labels)
        at = rng.randrange(phantoms)
        share = rng.random() - _LOOKUPS
        if share < 0:
            return lookup_row(rng, self.template, at)
        family = any_hint(rng)
        confidence, hint = default_confidence(rng), draw_hint(rng, family)
        asked = ask_phantom(rng, self.pictures.labels[at].tolist())
        if (share := share - _FOREIGN_QUESTIONS) < 0:
            place = at if rng.random() < 0.7 else None
            row = answer_row(self.template, ask_foreign(rng), hint, None, confidence, place)
        elif (share := share - _FOREIGN_PICTURES) < 0:
            place = phantoms + rng.randrange(self.foreign)
            row = answer_row(self.template, asked, hint, None, confidence, place)
        elif share < _OPEN:
            row = open_row(self.template, asked, hint, confidence, at)
        else:
            row = answer_row(self.template, asked, hint, asked.gold, confidence, at)
        # What a hint does to confidence is stage B's matter.
        row.learn_confidence = family == "none"
        return row
