"""Multiple-choice questions about scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from prompt4trust.datasets.phantoms.families import FAMILIES
from prompt4trust.datasets.phantoms.scene import Scene

Wordings = Literal["train", "heldout"]

TRAIN_WORDINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "modality": (
            "Which imaging modality produced this picture?",
            "What kind of scan is shown here?",
            "By which technique was this image acquired?",
            "Name the imaging modality of this figure.",
            "What type of medical image is this?",
            "Which imaging method was used?",
            "This picture comes from which modality?",
        ),
        "side": (
            "On which side do the findings lie?",
            "Which side of the image is affected?",
            "What is the laterality of the findings?",
            "Where from left to right are the lesions?",
            "Name the side on which the abnormality is seen.",
            "Which side shows the lesions?",
            "To which side are the findings confined?",
        ),
        "level": (
            "At which level do the findings lie?",
            "Which vertical zone is affected?",
            "How high in the image are the lesions?",
            "Name the zone that holds the abnormality.",
            "In which horizontal band are the findings seen?",
            "At what height is the abnormality located?",
            "Which level shows the lesions?",
        ),
        "number": (
            "How many findings are there?",
            "What is the number of lesions?",
            "Count the lesions in this image.",
            "How many separate abnormalities can be seen?",
            "How many lesions does the picture show?",
            "What is the total count of findings?",
            "State how many abnormalities are present.",
        ),
        "size": (
            "How large are the findings?",
            "What is the size of the lesions?",
            "Which size class fits the abnormality?",
            "How big are the lesions in this image?",
            "Grade the size of the findings.",
            "What extent does each lesion have?",
            "Which word describes the size of the lesions?",
        ),
        "shape": (
            "What is the shape of the findings?",
            "Which outline do the lesions have?",
            "How is the margin of the lesions formed?",
            "Describe the shape of the abnormality.",
            "Which form do the findings take?",
            "What contour does each lesion show?",
            "Which word describes the shape of the lesions?",
        ),
    }
)

HELDOUT_WORDINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "modality": (
            "What imaging technique are we looking at?",
            "Tell me the modality of this scan.",
            "Which method of imaging gave this figure?",
        ),
        "side": (
            "Are the lesions seen on one side, on both, or in the middle?",
            "Tell me which side the abnormality is on.",
            "What side of the picture holds the findings?",
        ),
        "level": (
            "Tell me the vertical level of the lesions.",
            "Which zone from top to bottom contains the findings?",
            "At what level is the abnormality seen?",
        ),
        "number": (
            "Tell me how many lesions you can count.",
            "What number of abnormalities does this image show?",
            "How many findings can be made out?",
        ),
        "size": (
            "Tell me how big the abnormality is.",
            "What size are the lesions seen here?",
            "How would you grade the size of the lesions?",
        ),
        "shape": (
            "Tell me what form the lesions have.",
            "What shape are the abnormalities seen here?",
            "How would you describe the outline of the findings?",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class PhantomQuestion:
    """One multiple-choice question.

    Attributes:
        text: the question.
        family: which family of `FAMILIES` it belongs to.
        options: option texts in the order in which they are shown.
        answer: index of the gold option.
    """

    text: str
    family: str
    options: tuple[str, ...]
    answer: int

    @property
    def gold(self) -> str:
        """Text of the gold option."""
        return self.options[self.answer]


def sample_question(
    rng: np.random.Generator,
    scene: Scene,
    n_options: int = 4,
    wordings: Wordings = "train",
    family: str | None = None,
) -> PhantomQuestion:
    """Draw a question about a scene.

    Args:
        rng: source of all randomness.
        scene: what is asked about.
        n_options: number of options, at least 2; a family with fewer values gives all that it has.
        wordings: "train", or "heldout" for wordings that training never uses.
        family: the question's family; drawn uniformly among the well-defined ones if None.

    Raises:
        ValueError: if there are fewer than two options, or the family is unknown or not well defined for the scene.

    Example:
        >>> from prompt4trust.datasets.phantoms import sample_scene
        >>> rng = np.random.default_rng(0)
        >>> question = sample_question(rng, sample_scene(rng), family="modality")
        >>> len(question.options), question.gold in question.options
        (4, True)
    """
    if n_options < 2:
        raise ValueError(f"a question needs at least 2 options, not {n_options}")
    values = scene.values
    if family is None:
        family = str(rng.choice([name for name in FAMILIES if values[name] is not None]))
    gold = values.get(family)
    if gold is None:
        raise ValueError(f"the question family {family!r} is not well defined for this scene")
    texts = (TRAIN_WORDINGS if wordings == "train" else HELDOUT_WORDINGS)[family]
    others = [value for value in FAMILIES[family] if value != gold]
    distractors = rng.permutation(len(others))[: n_options - 1]
    pool = [gold, *(others[i] for i in distractors)]
    options = tuple(pool[i] for i in rng.permutation(len(pool)))
    return PhantomQuestion(texts[int(rng.integers(len(texts)))], family, options, options.index(gold))
