"""Fitting of reference inputs on the questions of a calibration split."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from prompt4trust.pictures import PicturePreparation
from prompt4trust.shift.artifact import NEWEST_FORMAT, ReferenceArtifact
from prompt4trust.shift.descriptor import Described, Descriptor
from prompt4trust.shift.fitting_parts import MIN_DIFFERENT, FittedPart, fit_claims, fit_parts, unit_numbers
from prompt4trust.shift.levels import GROUP, Levels
from prompt4trust.shift.measures.claims import LEAST_ASKED, Claims
from prompt4trust.shift.reference import LIMIT, PartReference, Reference
from prompt4trust.shift.stored.parts import stored
from prompt4trust.shift.stored.summed_parts import ClaimsPart
from prompt4trust.shift.words import Words

Floats = npt.NDArray[np.float64]

MIN_ROWS = 300
"""Fewer questions say little of what is usual. Whether they are enough for a limit, `fit` checks by itself."""
MOST_NEAR = 1000
MOST_HELD = 4000
"""Bounds on the file's size; more add little."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Reference inputs, with the two parts that they were divided into.

    Attributes:
        parts: Name -> what scores are made by, and those of the held-out inputs.
        near: The questions that distances are taken to.
        aside: Places of the held-out ones, in the order of their scores.
        n: Questions that it was made from.
        rows: Whether descriptions of single questions and pictures are kept.
        seed: Seed of the division.
        claims: A trait, and what it says of answers; None where none is told.
    """

    parts: Mapping[str, FittedPart]
    near: Sequence[Described]
    aside: npt.NDArray[np.intp]
    n: int
    rows: bool
    seed: int
    claims: tuple[str, Claims] | None = None

    def reference(self, held: slice | npt.NDArray[np.intp] = slice(None), group: int | None = None) -> Reference:
        """Make a reference of all held-out inputs, or of those at some places among them.

        Args:
            held: The places.
            group: Held-out inputs between two edges of `Levels`; by default 1 where rows are kept, else 8.
        """
        least = group or (1 if self.rows else GROUP)
        return Reference(
            {
                name: PartReference(part.measured_by, Levels.of(part.counted(held), least), part.trait)
                for name, part in self.parts.items()
            },
            self.claims,
        )


def fit(
    described: Sequence[Described],
    descriptor: Descriptor,
    seed: int = 0,
    *,
    near: Sequence[Described] = (),
    others: Sequence[Described] = (),
    limit: float = LIMIT,
    rows: bool = False,
) -> Fitted:
    """Divide questions in two, and learn distances to the one part and how large they are in the other.

    A third of the questions, up to 1 000, is what distances are taken to. They do not enter the comparison, since each
    would find itself: p-values need questions that the distances were settled without.

    A held-out question's own twins (its wording, or its picture's very pixels, among the first part) do not count as
    near to it; a new question's do. Data sets ask few wordings, or about one picture several times: distances would
    mostly be 0, and whatever is reworded would seem strange. So the question is whether the nearest *other* wording
    would be unusually far, and what is in the reference itself is like it. A held-out distance is never less than it
    would be with its twins, so p-values can only grow by leaving them out, and stay valid. With fewer than ten wordings
    there are no others to speak of, and twins count.

    Where few pictures are held out, distances to a third of them say little. Distances may be taken to other questions
    instead, such as those that the model was trained on: all are then held out. Pictures of another kind, where they
    are given, add a direction (see `Direction`) for each trait of numbers, and let the sums that the descriptor names
    (colour) be judged by themselves.

    Questions about one picture are one draw of a picture, not several: p-values of pictures are counted among the
    different held-out pictures, those of words among the held-out questions. A direction counts only pictures that it
    was not learned from. So the p-values of pictures hold for a question about a newly drawn picture; those of words
    hold for questions that are drawn one by one, and nearly for several about one picture.

    Args:
        described: The questions, at least 300, with the same traits, by this descriptor.
        descriptor: For its tolerances.
        seed: Seed of the division.
        near: Other questions that distances are taken to, described in the same way; none for a third of these.
        others: Questions about pictures of another kind.
        limit: Atypicality that it is to tell, in (0, 1): each part must be able to reach it by itself.
        rows: Whether to keep descriptions of single questions and pictures, by which these could be recognised. They
            tell more apart, and are for data that anybody may have. Without them there are groups of ten pictures and
            more (`PictureGroups`), words and how many questions have them (`WordCounts`), and `Levels`.

    Returns:
        The reference inputs.

    Raises:
        ValueError: If there are too few questions, too few different pictures (or of either for the limit), traits that
            not all have, or a limit outside (0, 1).

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
    if not 0 < limit < 1:
        raise ValueError(f"a limit that can be reached lies between 0 and 1, not {limit:g}")
    if len(described) < MIN_ROWS:
        raise ValueError(f"a reference needs at least {MIN_ROWS} questions, not {len(described)}")
    names = list(described[0].traits)
    if any(list(each.traits) != names for each in (*described, *near, *others)):
        raise ValueError("some questions have a picture and some have none: make a reference of each kind")
    order = np.random.default_rng(seed).permutation(len(described))
    if near:
        drawn = np.random.default_rng(seed).permutation(len(near))[:MOST_NEAR]
        first, aside = [near[place] for place in drawn], order[:MOST_HELD]
    else:
        most = min(len(described) // 3, MOST_NEAR)
        if not rows and (pictured := next((name for name in descriptor.tolerances if name in names), None)):
            order, most = _by_picture([each.twins[pictured] for each in described], order, most)
        first, aside = [described[place] for place in order[:most]], order[most : most + MOST_HELD]
    held_out = [described[place] for place in aside]
    parts = fit_parts(first, held_out, others, descriptor, rows=rows, seed=seed)
    fitted = Fitted(
        parts,
        first,
        aside,
        len(described) if near else len(first) + len(aside),
        rows,
        seed,
        _in_words_of(first, fit_claims(first, held_out, descriptor)),
    )
    _check_reach(fitted.reference(), limit)
    return fitted


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
    near: Sequence[Described] = (),
    others: Sequence[Described] = (),
    limit: float = LIMIT,
    rows: bool = False,
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
        near: See `fit`.
        others: See `fit`.
        limit: See `fit`.
        rows: See `fit`.

    Returns:
        The artifact, not yet saved.

    Raises:
        ValueError: See `fit`.
    """
    return artifact_of(
        fit(described, descriptor, seed, near=near, others=others, limit=limit, rows=rows),
        descriptor,
        name=name,
        dataset=dataset,
        questions=questions,
        picture_preparation=picture_preparation,
        clock=clock,
        answers=answers,
    )


def artifact_of(
    fitted: Fitted,
    descriptor: Descriptor,
    *,
    name: str,
    dataset: str,
    questions: str,
    picture_preparation: PicturePreparation,
    clock: Callable[[], datetime],
    answers: Sequence[str] = (),
) -> ReferenceArtifact:
    """Record where reference inputs come from.

    Args:
        fitted: The inputs, as `fit` made them.
        descriptor: The descriptor that described them.
        name: See `fit_reference`.
        dataset: See `fit_reference`.
        questions: See `fit_reference`.
        picture_preparation: See `fit_reference`.
        clock: See `fit_reference`.
        answers: See `fit_reference`.

    Returns:
        The artifact, not yet saved.
    """
    return ReferenceArtifact(
        format=NEWEST_FORMAT,
        name=name,
        descriptor=descriptor.id,
        dataset=dataset,
        questions=questions,
        answers=sorted(set(answers)),
        n=fitted.n,
        n_near=len(fitted.near),
        n_held=len(fitted.aside),
        created=clock(),
        seed=fitted.seed,
        parts={name: stored(part) for name, part in fitted.reference().parts.items()},
        claims=None if fitted.claims is None else ClaimsPart.of(*fitted.claims),
        warnings=_warnings(fitted),
        picture_preparation=picture_preparation,
    )


def _in_words_of(near: Sequence[Described], claims: tuple[str, Claims] | None) -> tuple[str, Claims] | None:
    """Bind what is known of answers to the words of questions that it was learned from, of several wordings or usual.

    Raises:
        ValueError: If no question is left.
    """
    if claims is None:
        return None
    trait, known = claims
    asked = [(words, each) for each in near if each.answer in known.answers
             for words in each.traits.values() if isinstance(words, Words)]  # fmt: skip
    seen: dict[int, set[str]] = {}
    for words, each in asked:
        for word in words.question:
            seen.setdefault(word, set()).add(each.twins[trait])
    shared = {word for word, pictures in seen.items() if len(pictures) >= LEAST_ASKED}
    if not any(shared.issuperset(words.question) for words, _ in asked):
        raise ValueError(f"no question that answers are learned from is asked of {LEAST_ASKED} pictures in its words")
    return trait, known.asked_in(shared)


def _by_picture(twins: Sequence[str], order: npt.NDArray[np.intp], most: int) -> tuple[npt.NDArray[np.intp], int]:
    """Bring questions about one picture together, and choose the place behind a whole picture.

    Of a picture that groups were learned from, no distance says how large distances are.
    """
    drawn = unit_numbers(twins[place] for place in order)
    order = order[np.argsort(drawn, kind="stable")]
    drawn = np.sort(drawn)
    return order, int(np.searchsorted(drawn, drawn[max(most - 1, 0)], side="right"))


def _check_reach(reference: Reference, limit: float) -> None:
    if not reference.reaches(limit):
        fewest = min(reference.parts, key=lambda name: reference.parts[name].levels.n)
        least = math.ceil(round(len(reference.parts) / (1 - limit), 6)) - 1
        raise ValueError(
            f"with {reference.parts[fewest].levels.n} different inputs held out for {fewest!r} and "
            f"{len(reference.parts)} parts it could not tell what is unlike beyond {reference.finest:.4g}: the limit "
            f"{limit:g} takes {least} of each; give more, or a lower limit"
        )


def _warnings(fitted: Fitted) -> list[str]:
    found = []
    wordings = {each.twins.get("words", "") for each in fitted.near}
    if len(wordings) < MIN_DIFFERENT:
        found.append(f"only {len(wordings)} wordings: whatever is worded otherwise counts as unusual")
    return found
