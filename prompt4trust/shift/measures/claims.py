"""Looks of a picture that speak against an answer, by pictures for which each answer was right.

A picture that is like known ones may still be misread: an abdomen whose looks are known is no head because a model
calls it one. Where it is known of pictures what they show, a second view that shares nothing with the model (a linear
discriminant of the picture's numbers) says which answer the looks speak for. It stands for no truth. Where it speaks
against the answer as it seldom does against right ones, one of the two is wrong, and nothing should be promised.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from prompt4trust.shift.levels import between
from prompt4trust.shift.measures.groups import LEAST
from prompt4trust.shift.measures.units import scaled, units_of

Floats = npt.NDArray[np.float64]

LEVEL: Final = 0.05
"""Largest share of right answers that a picture may be found to speak against."""
LEAST_ASKED: Final = 5
"""Pictures that a word must be asked about for it to be one of what was learned: fewer would tell of single ones."""
_TWO: Final = 2
_DECIMALS: Final = 6


@dataclass(frozen=True, eq=False, slots=True)
class Claims:
    """Known answers, and how pictures look for which each is right.

    A linear discriminant (its covariance shrunk by Ledoit and Wolf's rule, answers equally likely ahead of the picture)
    gives a sum for each known answer. A picture speaks against an answer where another one's sum is larger by an edge
    that few held-out pictures reach against their right answers. What is not known it never speaks against. And it
    speaks of questions alone that ask what was learned (see `asks_that`).

    Attributes:
        answers: The known answers, at least two, each as `wording` brings it to one form.
        centre: Subtracted from each number; shape [d].
        spread: By which each number is then divided, above 0; shape [d].
        weights: Of the numbers, a row an answer; shape [k, d].
        biases: Added to the weighed sums; shape [k].
        edge: Above 0.
        reaching: Held-out pictures that reach it.
        n: Held-out pictures.
        question: Hashed words and pairs of neighbouring words of the questions that were learned from; none where these
            are not known.

    Example:
        >>> weights = np.array([[2.0], [-2.0]])
        >>> sides = Claims(("left", "right"), np.zeros(1), np.ones(1), weights, np.zeros(2), edge=1.0, reaching=0, n=19)
        >>> sides.against(np.array([1.0]), "right"), sides.against(np.array([1.0]), "left")
        ('left', None)
        >>> sides.against(np.array([0.1]), "right"), sides.against(np.array([1.0]), "both")
        (None, None)
    """

    answers: tuple[str, ...]
    centre: Floats
    spread: Floats
    weights: Floats
    biases: Floats
    _: KW_ONLY
    edge: float
    reaching: int
    n: int
    question: frozenset[int] = frozenset()

    @classmethod
    def fit(cls, rows: Floats, answers: Sequence[str], tolerance: Floats) -> Self:
        """Learn what pictures look like for which an answer is right; answers of fewer than 10 pictures are left out.

        Args:
            rows: A row a picture; shape [m, d].
            answers: The right answer of each, in one form; m of them.
            tolerance: Least spread of each number; above 0; shape [d].

        Returns:
            What speaks against no answer yet (see `held_to`).

        Raises:
            ValueError: If fewer than two answers are left.
        """
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # takes a second; only fitting needs it

        known = [answer for answer in sorted(set(answers)) if answers.count(answer) >= LEAST]
        if len(known) < _TWO:
            raise ValueError(f"pictures speak against an answer only for others: two must each be right of {LEAST}")
        is_known = np.array([answer in known for answer in answers])
        rows, right = rows[is_known], np.array(answers)[is_known]
        centre, spread = units_of(rows, tolerance)
        shares = np.full(len(known), 1 / len(known))
        fitted = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=shares)
        fitted.fit(scaled(rows, centre, spread), right)
        weights, biases = fitted.coef_, fitted.intercept_
        if len(known) == _TWO:  # of two answers the library keeps one side
            weights, biases = np.concatenate([-weights / 2, weights / 2]), np.concatenate([-biases / 2, biases / 2])
        weights, biases = np.round(weights, _DECIMALS), np.round(biases, _DECIMALS)
        return cls(tuple(known), centre, spread, weights, biases, edge=math.inf, reaching=0, n=0)

    def held_to(self, rows: Floats, answers: Sequence[str], level: float = LEVEL) -> Self:
        """Settle the edge by held-out pictures and their right answers.

        A new picture, drawn as they were, reaches it against its right answer with a chance of at most the level: it is
        the lowest edge of which (1 + those that reach it) / (n + 1) says so.

        Args:
            rows: Of pictures that were not learned from; shape [n, d].
            answers: Their right answers, all of them known; n of them.
            level: Largest share of right answers, in (0, 1).

        Raises:
            ValueError: If there are too few for the level.
        """
        n = len(rows)
        may_reach = math.floor(round(level * (n + 1), 6)) - 1
        if may_reach < 0:
            raise ValueError(f"{n} held-out pictures with a known answer are too few for a level of {level:g}")
        ordered = np.sort(self.margins(rows, answers))
        below = float(ordered[n - may_reach - 1])
        above = ordered[ordered > below]
        edge = between(below, float(above[0]) if len(above) else math.inf)
        return replace(self, edge=edge, reaching=int((ordered >= edge).sum()), n=n)

    def asked_in(self, question: Iterable[int]) -> Self:
        """Make the same for questions in some words.

        Args:
            question: Hashed words and pairs of neighbouring words of the questions that were learned from.
        """
        return replace(self, question=frozenset(question))

    def asks_that(self, question: Iterable[int], options: Iterable[str]) -> bool:
        """Find out whether a question asks what was learned.

        It does where each of its options is a known answer, and each of its words and pairs of neighbouring words one
        of questions that were learned from. One word more may turn it round ("not"), or make it ask for something else
        that the options name as well ("lesion").

        Args:
            question: Hashes of its words and pairs.
            options: Texts of its options, each in one form.
        """
        words, said = set(question), set(options)
        return bool(words) and bool(said) and words <= self.question and said <= set(self.answers)

    def margins(self, rows: Floats, answers: Sequence[str]) -> Floats:
        """By how much another answer's sum is larger; shape [n, d] and n answers -> 0 or more, shape [n].

        It is 0 where none is, and for an answer that is not known.
        """
        sums = self._sums(rows)
        places = {answer: place for place, answer in enumerate(self.answers)}
        most = sums.max(axis=1)
        own = [sums[row, places[answer]] if answer in places else most[row] for row, answer in enumerate(answers)]
        return np.asarray(np.round(most - own, _DECIMALS))

    def against(self, row: Floats, answer: str) -> str | None:
        """Name the answer that a picture speaks for where it speaks against another one; else None."""
        if self.margins(row[None], [answer])[0] < self.edge:
            return None
        return self.answers[int(self._sums(row[None])[0].argmax())]

    def _sums(self, rows: Floats) -> Floats:
        return np.asarray(scaled(rows, self.centre, self.spread) @ self.weights.T + self.biases)
