"""Fitting of a reference's parts: what scores are made by, and the scores of the held-out questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompt4trust.shift.descriptor import Described, Descriptor
from prompt4trust.shift.measures.claims import Claims
from prompt4trust.shift.measures.directions import Direction
from prompt4trust.shift.measures.groups import PictureGroups
from prompt4trust.shift.measures.neighbours import NumberNeighbours
from prompt4trust.shift.measures.new_words import NewWordNeighbours
from prompt4trust.shift.measures.word_counts import WordCounts
from prompt4trust.shift.reference import MeasuredBy
from prompt4trust.shift.words import Words

OTHER_KIND = "{trait}-kind"
"""Name of the part that tells pictures of other kinds that were given, such as "picture-kind"."""
MIN_DIFFERENT = 10
"""Different pictures, or wordings, without which there is nothing to tell usual distances by."""

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class FittedPart:
    """A part of a reference.

    Attributes:
        measured_by: What scores are made by.
        trait: The trait that it looks at.
        held: Scores of the held-out questions, in order; shape [n].
        units: Number of what each score is of, such as one picture that several questions are about: the same number
            is counted once, and -1 not at all; shape [n].
    """

    measured_by: MeasuredBy
    trait: str
    held: Floats
    units: Places

    def counted(self, held: slice | Places = slice(None)) -> Floats:
        """Take the scores at some places, one of each unit."""
        units, places = np.unique(self.units[held], return_index=True)
        return self.held[held][places[units >= 0]]


def fit_parts(
    near: Sequence[Described],
    held: Sequence[Described],
    others: Sequence[Described],
    descriptor: Descriptor,
    *,
    rows: bool,
    seed: int,
) -> dict[str, FittedPart]:
    """Fit a part for each trait, and the directions where there are pictures of another kind.

    Args:
        near: Questions that scores are made by.
        held: Questions that they are compared with.
        others: Questions about pictures of another kind, perhaps none.
        descriptor: For its tolerances and sums.
        rows: Whether to keep descriptions of single questions and pictures.
        seed: Seed of the groups.

    Returns:
        Name -> part.

    Raises:
        ValueError: If there are too few different pictures.
    """
    parts = {}
    for name, kind in near[0].traits.items():
        if isinstance(kind, Words):
            parts[name] = _fit_words(name, near, held, rows=rows)
        else:
            parts[name] = _fit_numbers(name, near, held, descriptor.tolerances[name], rows=rows, seed=seed)
    if others:
        parts |= _fit_directions(near, held, others, descriptor)
    return parts


def fit_claims(
    near: Sequence[Described], held: Sequence[Described], descriptor: Descriptor
) -> tuple[str, Claims] | None:
    """Learn what pictures look like for which known answers are right.

    Args:
        near: Questions to learn from; those of which an answer is told count.
        held: Questions to settle by how often a picture speaks against a right answer.
        descriptor: For its tolerances.

    Returns:
        The trait of numbers that is looked at, and what it says; None where no answer is told.

    Raises:
        ValueError: If too few pictures have a known answer, of those to learn from or of those held out.
    """
    answered = [each for each in near if each.answer is not None]
    trait = next((name for name in descriptor.tolerances if answered and name in answered[0].traits), None)
    if trait is None:
        return None
    known = list(_different(trait, answered).values())
    learned = {each.twins[trait] for each in near}
    claims = Claims.fit(numbers_of(trait, known), [each.answer or "" for each in known], descriptor.tolerances[trait])
    new = _different(
        trait, [each for each in held if each.answer in claims.answers and each.twins[trait] not in learned]
    )
    rows = numbers_of(trait, new.values()).reshape(len(new), len(claims.centre))
    return trait, claims.held_to(rows, [each.answer or "" for each in new.values()])


def unit_numbers(twins: Iterable[str]) -> Places:
    """Give each of n texts a number, in the order in which they first come; equal ones have the same. Shape [n]."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(twin, len(numbers)) for twin in twins])


def new_units(name: str, near: Sequence[Described], held: Sequence[Described]) -> Places:
    """Give held-out values of a trait numbers, and those that `near` has, too, by which scores were learned, -1."""
    learned = {each.twins[name] for each in near}
    seen = np.array([each.twins[name] in learned for each in held])
    return np.where(seen, -1, unit_numbers(each.twins[name] for each in held))


def numbers_of(name: str, described: Iterable[Described]) -> Floats:
    """Gather a trait of numbers; shape [n, d]."""
    return np.array([each.traits[name] for each in described])


def _fit_numbers(
    name: str, near: Sequence[Described], held: Sequence[Described], tolerance: Floats, *, rows: bool, seed: int
) -> FittedPart:
    first = _different(name, near)
    if len(first) < MIN_DIFFERENT:
        raise ValueError(f"only {len(first)} different values of {name!r}; there must be {MIN_DIFFERENT}")
    known, compared = numbers_of(name, first.values()), numbers_of(name, held)
    if not rows:
        groups = PictureGroups.fit(known, tolerance, seed)
        units = new_units(name, near, held)
        if not (units >= 0).any():
            raise ValueError(f"every held-out value of {name!r} is one that distances are taken to")
        return FittedPart(groups, name, groups.scores(compared), units)
    neighbours = NumberNeighbours.fit(known, tolerance)
    places = {twin: place for place, twin in enumerate(first)}
    own = [places.get(each.twins[name]) for each in held]
    # The larger of both: without its twin a row has other neighbours, which may be lonelier themselves.
    scores = np.maximum(neighbours.scores(compared), neighbours.scores(compared, own))
    return FittedPart(neighbours, name, scores, unit_numbers(each.twins[name] for each in held))


def _fit_words(name: str, near: Sequence[Described], held: Sequence[Described], *, rows: bool) -> FittedPart:
    asked = Counter((words, each.twins[name]) for each, words in _with_words(name, near))
    distinct = list(asked)
    known = [words for words, _ in distinct]
    places: dict[str, list[int]] = {}
    for place, (_, twin) in enumerate(distinct):
        places.setdefault(twin, []).append(place)
    own = [places.get(each.twins[name], []) for each in held] if len(places) >= MIN_DIFFERENT else None
    compared, units = [words for _, words in _with_words(name, held)], np.arange(len(held))
    if rows:
        neighbours = NewWordNeighbours(known)
        return FittedPart(neighbours, name, neighbours.scores(compared, own), units)
    vocabulary = WordCounts.fit(known, [places[twin] for _, twin in distinct], list(asked.values()))
    scores = vocabulary.scores(compared)
    if own is not None:
        # The larger of both: twins with other options may have made its own options rarer.
        without = vocabulary.scores(compared, [[known[place] for place in twins] for twins in own])
        scores = np.maximum(scores, without)
    return FittedPart(vocabulary, name, scores, units)


def _fit_directions(
    near: Sequence[Described], held: Sequence[Described], others: Sequence[Described], descriptor: Descriptor
) -> dict[str, FittedPart]:
    found: dict[str, tuple[Direction, str]] = {}
    for trait, tolerance in descriptor.tolerances.items():
        if trait in near[0].traits:
            own = numbers_of(trait, _different(trait, near).values())
            apart = Direction.fit(own, numbers_of(trait, others), tolerance)
            found[OTHER_KIND.format(trait=trait)] = (apart, trait)
    for name, (trait, places) in descriptor.sums.items():
        if trait in near[0].traits:
            found[name] = (Direction.sum_of(places, descriptor.tolerances[trait]), trait)
    return {
        name: FittedPart(
            direction, trait, direction.scores(numbers_of(trait, held)), new_units(trait, near, held)
        )
        for name, (direction, trait) in found.items()
    }  # fmt: skip


def _different(name: str, described: Sequence[Described]) -> Mapping[str, Described]:
    first: dict[str, Described] = {}
    for each in described:
        first.setdefault(each.twins[name], each)
    return first


def _with_words(name: str, described: Iterable[Described]) -> Iterable[tuple[Described, Words]]:
    for each in described:
        words = each.traits[name]
        if isinstance(words, Words):
            yield each, words
