"""Fitting of reference inputs on the questions of a calibration split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from prompt4trust.pictures import PicturePreparation
from prompt4trust.shift.artifact import NEWEST_FORMAT, NumbersPart, ReferenceArtifact, WordsPart
from prompt4trust.shift.descriptor import Described, Descriptor, Trait
from prompt4trust.shift.neighbours import NumberNeighbours, WordNeighbours
from prompt4trust.shift.new_words import NewWordNeighbours
from prompt4trust.shift.reference import LIMIT, PartReference, Reference
from prompt4trust.shift.words import Words

Floats = npt.NDArray[np.float64]

MIN_ROWS = 300
"""With fewer questions the default limit could hardly be reached."""
MOST_NEAR = 1000
MOST_HELD = 4000
"""Bounds on the file's size; more add little."""
MIN_DIFFERENT = 10
"""Different pictures, or wordings, without which there is nothing to tell usual distances by."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Reference inputs, with the two parts that they were divided into.

    Attributes:
        neighbours: Trait -> where distances are taken to.
        held: Trait -> distances of the held-out inputs, in the order in which these were drawn; shape [n] each.
        near: Places of the questions that distances are taken to.
        aside: Places of the held-out ones, in the order of `held`.
    """

    neighbours: Mapping[str, NumberNeighbours | WordNeighbours]
    held: Mapping[str, Floats]
    near: npt.NDArray[np.intp]
    aside: npt.NDArray[np.intp]

    def reference(self, held: slice = slice(None)) -> Reference:
        """Make a reference of all held-out inputs, or of a part of them."""
        return Reference(
            {name: PartReference(self.neighbours[name], np.sort(scores[held])) for name, scores in self.held.items()}
        )


def fit(described: Sequence[Described], descriptor: Descriptor, seed: int = 0) -> Fitted:
    """Divide questions in two, and learn distances to the one part and how large they are in the other.

    A third of the questions, up to 1 000, is what distances are taken to. They do not enter the comparison, since each
    would find itself: p-values need questions that the distances were settled without.

    A held-out question's own twins (its wording, or its picture's very pixels, among the first part) do not count as
    near to it; a new question's do. Data sets ask few wordings, or about one picture several times: distances would
    mostly be 0, and whatever is reworded would seem strange. So the question is whether the nearest *other* wording
    would be unusually far, and what is in the reference itself is like it. A held-out distance is never less than it
    would be with its twins, so p-values can only grow by leaving them out, and stay valid. With fewer than ten wordings
    there are no others to speak of, and twins count.

    Args:
        described: The questions, at least 300, with the same traits, by this descriptor.
        descriptor: For its tolerances.
        seed: Seed of the division.

    Returns:
        The reference inputs.

    Raises:
        ValueError: If there are too few questions, too few different pictures, or traits that not all have.

    Example:
        >>> from prompt4trust.shift import PictureAndWords
        >>> descriptor = PictureAndWords()
        >>> asked = [f"Which {('side', 'level', 'organ')[n % 3]} does film {n % 50} show?" for n in range(400)]
        >>> fitted = fit([descriptor.describe(None, question, {}) for question in asked], descriptor)
        >>> reference = fitted.reference()
        >>> usual = descriptor.describe(None, "Which side does film 7 show?", {})
        >>> strange = descriptor.describe(None, "Who won the match yesterday?", {})
        >>> reference.judge(usual).beyond(0.9), reference.judge(strange).beyond(0.9)
        (False, True)
    """
    if len(described) < MIN_ROWS:
        raise ValueError(f"a reference needs at least {MIN_ROWS} questions, not {len(described)}")
    names = list(described[0].traits)
    if any(list(each.traits) != names for each in described):
        raise ValueError("some questions have a picture and some have none: make a reference of each kind")
    order = np.random.default_rng(seed).permutation(len(described))
    most = min(len(described) // 3, MOST_NEAR)
    near, aside = order[:most], order[most : most + MOST_HELD]
    neighbours: dict[str, NumberNeighbours | WordNeighbours] = {}
    held: dict[str, Floats] = {}
    for name in names:
        first = [(described[place].traits[name], described[place].twins[name]) for place in near]
        rest = [(described[place].traits[name], described[place].twins[name]) for place in aside]
        if isinstance(first[0][0], Words):
            neighbours[name], held[name] = _fit_words(first, rest)
        else:
            neighbours[name], held[name] = _fit_numbers(name, first, rest, descriptor.tolerances[name])
    return Fitted(neighbours, held, near, aside)


def fit_reference(
    described: Sequence[Described],
    descriptor: Descriptor,
    *,
    name: str,
    dataset: str,
    questions: str,
    picture_preparation: PicturePreparation,
    clock: Callable[[], datetime],
    answers: Sequence[str] = (),
    seed: int = 0,
) -> ReferenceArtifact:
    """Make reference inputs, and record where they come from.

    Args:
        described: See `fit`.
        descriptor: The descriptor that described them.
        name: The artifact's name.
        dataset: Name of the data, as calibrators have it.
        questions: Hash of what is asked, "sha256:...".
        picture_preparation: What the pictures went through before they were described.
        clock: Gives the present time, with its zone.
        answers: Hashes of answers to these questions, as calibrators have them.
        seed: Seed of the division.

    Returns:
        The artifact, not yet saved.

    Raises:
        ValueError: See `fit`.
    """
    fitted = fit(described, descriptor, seed)
    parts: dict[str, NumbersPart | WordsPart] = {}
    for part, reference in fitted.reference().parts.items():
        neighbours = reference.neighbours
        if isinstance(neighbours, WordNeighbours):
            parts[part] = WordsPart.of(reference, neighbours)
        else:
            parts[part] = NumbersPart.of(reference, neighbours)
    return ReferenceArtifact(
        format=NEWEST_FORMAT,
        name=name,
        descriptor=descriptor.id,
        dataset=dataset,
        questions=questions,
        answers=sorted(set(answers)),
        n=len(fitted.near) + len(fitted.aside),
        n_near=len(fitted.near),
        n_held=len(fitted.aside),
        created=clock(),
        seed=seed,
        parts=parts,
        warnings=_warnings(described, fitted),
        picture_preparation=picture_preparation,
    )


def _fit_numbers(
    name: str, near: Sequence[tuple[Trait, str]], held: Sequence[tuple[Trait, str]], tolerance: Floats
) -> tuple[NumberNeighbours, Floats]:
    first: dict[str, Trait] = {}
    for trait, twin in near:
        first.setdefault(twin, trait)
    places = {twin: place for place, twin in enumerate(first)}
    if len(places) < MIN_DIFFERENT:
        raise ValueError(f"only {len(places)} different values of {name!r}; there must be {MIN_DIFFERENT}")
    neighbours = NumberNeighbours.fit(np.array(list(first.values())), tolerance)
    own = [places.get(twin) for _, twin in held]
    rows = np.array([trait for trait, _ in held])
    # The larger of both: without its twin a row has other neighbours, which may be lonelier themselves.
    return neighbours, np.maximum(neighbours.scores(rows), neighbours.scores(rows, own))


def _fit_words(near: Sequence[tuple[Trait, str]], held: Sequence[tuple[Trait, str]]) -> tuple[WordNeighbours, Floats]:
    distinct = list(dict.fromkeys((trait, twin) for trait, twin in near if isinstance(trait, Words)))
    places: dict[str, list[int]] = {}
    for place, (_, twin) in enumerate(distinct):
        places.setdefault(twin, []).append(place)
    neighbours = NewWordNeighbours([words for words, _ in distinct])
    own = [places.get(twin, []) for _, twin in held] if len(places) >= MIN_DIFFERENT else None
    return neighbours, neighbours.scores([trait for trait, _ in held if isinstance(trait, Words)], own)


def _warnings(described: Sequence[Described], fitted: Fitted) -> list[str]:
    found = []
    wordings = {described[place].twins.get("words", "") for place in fitted.near}
    if len(wordings) < MIN_DIFFERENT:
        found.append(f"only {len(wordings)} wordings: whatever is worded otherwise counts as unusual")
    finest = fitted.reference().finest
    if finest < LIMIT:
        found.append(f"with {len(fitted.aside)} held-out questions nothing can be more atypical than {finest:.4g}")
    return found
