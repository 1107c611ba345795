"""Distances between questions that grow with every word that the reference has nowhere.

How alike a question is to the most alike one (`WordNeighbours`) says little of what was added to it: a known question
with an instruction behind it stays nearer to its own wording than another known wording is. So words that no reference
question has are counted as well. What they say does not matter: nothing was checked on questions that hold them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from prompt4trust.shift.measures.neighbours import Floats, WordNeighbours
from prompt4trust.shift.words import BUCKETS, Words

_USUAL: Final = 0.99
"""Quantile of the reference questions' own values that each of the three is measured in."""
_LEAST: Final = (0.05, 0.5, 0.5)
"""Least units of likeness, new words of the question, and new words of the options: one word too many counts twice."""
_DECIMALS: Final = 6


class NewWordNeighbours(WordNeighbours):
    """Distances of three kinds, of which the largest counts.

    They are one minus the cosine to the most alike reference question (see `WordNeighbours`); the words and pairs of
    neighbouring words of the question that no reference question has; and the words of the options that none has. Each
    is divided by what is large among the reference questions themselves, every one judged without its twins, so that 1
    is about the largest that is usual. These units are settled without the held-out questions, which keeps p-values
    valid.

    Args:
        rows: Reference questions; at least 1.
    """

    def __init__(self, rows: Sequence[Words]) -> None:
        super().__init__(rows)
        self._having = [_having([row.question for row in rows]), _having([row.options for row in rows])]
        twins: dict[tuple[int, ...], list[int]] = {}
        for place, row in enumerate(rows):
            twins.setdefault(row.question, []).append(place)
        own = [twins[row.question] for row in rows]
        usual = np.quantile(self._distances(rows, own), _USUAL, axis=0, method="higher")
        self._units = np.round(np.maximum(usual, _LEAST), _DECIMALS)

    def scores(self, rows: Sequence[Words], own: Sequence[Sequence[int]] | None = None) -> Floats:
        """Score questions (see `WordNeighbours.scores`); scores of 0 or more."""
        return np.asarray(np.round((self._distances(rows, own) / self._units).max(axis=1), _DECIMALS))

    def _distances(self, rows: Sequence[Words], own: Sequence[Sequence[int]] | None) -> Floats:
        alike = super().scores(rows, own)
        new = [self._new(row, twins) for row, twins in zip(rows, own or [()] * len(rows), strict=True)]
        return np.column_stack([alike, np.array(new, dtype=np.float64).reshape(-1, 2)])

    def _new(self, row: Words, twins: Sequence[int]) -> tuple[int, int]:
        """Count the words of question and options that none of the reference questions has, twins left out."""
        others = [self.rows[place] for place in twins]
        parts = (
            (row.question, self._having[0][list(row.question)].tolist(), [each.question for each in others]),
            (row.options, self._having[1][list(row.options)].tolist(), [each.options for each in others]),
        )
        question, options = (
            sum(times == sum(word in other for other in left_out) for word, times in zip(words, found, strict=True))
            for words, found, left_out in parts
        )
        return question, options


def _having(rows: Sequence[tuple[int, ...]]) -> npt.NDArray[np.intp]:
    """Count the rows that have each word; shape [BUCKETS]."""
    return np.bincount(np.array([word for row in rows for word in row], dtype=np.intp), minlength=BUCKETS)
