"""Described questions to make references of: few pictures cost little, so that tests may make many."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from prompt4trust.pictures import ReducedPicture
from prompt4trust.shift import Described, PictureAndWords

ASKED = {
    "side": (
        "On which side is it?",
        "Which side is affected?",
        "What is the laterality?",
        "Where does the lesion lie?",
    ),
    "size": ("How large is it?", "What is the size of the lesion?", "How big is the finding?", "Grade its size."),
    "shape": ("What shape is it?", "Which outline has the lesion?", "What form is seen?", "Describe the shape seen."),
}
OPTIONS = {
    "side": ("Left", "Right", "Midline"),
    "size": ("Small", "Moderate", "Large"),
    "shape": ("Round", "Oval", "Spiculated"),
}


def picture(rng: np.random.Generator, kind: str = "disc", size: int = 48) -> Image.Image:
    """A bright disc of random place and size on a dark ground, or bright stripes instead."""
    across, down = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    if kind == "disc":
        x, y, radius = rng.uniform((-0.4, -0.4, 0.2), (0.4, 0.4, 0.5))
        shown = 0.1 + 0.7 * (np.hypot(across - x, down - y) < radius)
    else:
        shown = 0.5 + 0.4 * np.sin(rng.uniform(12, 20) * (across + down))
    noisy = shown + rng.normal(0, rng.uniform(0.01, 0.06), shown.shape)
    return Image.fromarray(np.clip(noisy * 255, 0, 255).astype(np.uint8))


def described(n: int, seed: int = 0, kind: str = "disc", pictures: bool = True) -> list[Described]:
    """Questions about such pictures, in a dozen wordings; more of them begin with the same ones."""
    return list(_made(next(size for size in (60, 300, 450, 900) if n <= size), seed, kind, pictures)[:n])


@cache
def _made(n: int, seed: int, kind: str, pictures: bool) -> tuple[Described, ...]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        family = str(rng.choice(list(ASKED)))
        options = dict(zip("ABC", rng.permutation(OPTIONS[family]).tolist(), strict=True))
        shown = ReducedPicture.of(picture(rng, kind)) if pictures else None
        found.append(PictureAndWords().describe(shown, str(rng.choice(ASKED[family])), options))
    return tuple(found)
