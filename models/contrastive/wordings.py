"""Texts that the contrastive miniature learns from: values in many wordings."""

from __future__ import annotations

import random
from collections.abc import Iterator

from prompt4trust.datasets.phantoms import FAMILIES

PROMPT = "a medical picture: {option}."
"""Wording that the shipped model puts an option into; one of the training's."""

WORDINGS = (
    "{option}",
    "{option}.",
    PROMPT,
    "a picture of this kind: {option}",
    "this is {option}",
    "it shows {option}",
    "the finding is {option}",
    "the answer is {option}.",
    "among all that can be seen in the picture, the best word is {option}",
    "a scan that a reader would describe by the word {option}",
    "what the question asks about is {option}",
    "one of the options that were given, and the right one: {option}",
)
"""Wordings of a value. Their lengths differ, so that a name is known at every place up to the longest context's end."""

# Beyond the benchmark, so that other options cost few tokens; the tower learns nothing of them.
_GENERAL = (
    "yes no none normal abnormal chest lung heart liver brain spine knee hip head neck abdomen pelvis mass nodule "
    "fracture effusion lesion tumor infection ct mri x-ray image scan of the and to in is are with for not from which "
    "what where how many axial coronal sagittal"
)

VALUES: tuple[tuple[str, str], ...] = tuple((family, value) for family, values in FAMILIES.items() for value in values)
"""All families' values, (family, value), in the order of FAMILIES."""


def worded(rng: random.Random) -> list[str]:
    """Write every value of `VALUES` in a wording of its own."""
    return [rng.choice(WORDINGS).format(option=value) for _, value in VALUES]


def training_texts(seed: int, rounds: int = 400) -> Iterator[str]:
    """Yield texts to learn the vocabulary from."""
    rng = random.Random(seed)
    for _ in range(rounds):
        yield from worded(rng)
        yield _GENERAL
