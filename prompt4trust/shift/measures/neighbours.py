"""Distances from an input to the reference inputs nearest to it: for rows of numbers, and for sets of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from prompt4trust.shift.measures.units import units_of
from prompt4trust.shift.words import BUCKETS, Words

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]

NEIGHBOURS: Final = 5
"""Neighbours whose distances are averaged, for rows of numbers."""
STEPS: Final = 16
"""Reference rows are kept in steps of 1 / STEPS of a feature's spread."""
_FURTHEST: Final = 127
_DECIMALS: Final = 6  # so that sums taken in another order give the same score
_LEAST_LOCAL: Final = 0.01


class NumberNeighbours:
    """Distances between rows of numbers, each number measured in the reference's own spread of it.

    The score of a row is its mean distance to its five nearest reference rows, over the mean of the same quantity for
    these five: how much lonelier the row is than its neighbours are. Where reference inputs lie thinly, as noisy
    pictures do, a given distance means less. It is the local outlier factor (Breunig, Kriegel, Ng and Sander, SIGMOD
    2000) with mean distances in place of reachability distances.

    Args:
        centre: Subtracted from each number; shape [d].
        spread: By which each number is then divided, above 0; shape [d].
        rows: Reference rows in whole steps of 1 / STEPS spread around the centre, at least 2; shape [m, d].
    """

    def __init__(self, centre: Floats, spread: Floats, rows: npt.NDArray[np.int8]) -> None:
        self.centre = centre
        self.spread = spread
        self.rows = rows
        self._points = rows.astype(np.float64) / STEPS
        self._squares = np.square(self._points).sum(axis=1)
        self._count = min(NEIGHBOURS, len(rows) - 1)
        between = self._distances(self._points)
        np.fill_diagonal(between, np.inf)
        self._local = np.partition(between, self._count - 1, axis=1)[:, : self._count].mean(axis=1)

    @classmethod
    def fit(cls, rows: Floats, tolerance: Floats) -> NumberNeighbours:
        """Learn centre and spread, and keep the rows.

        Args:
            rows: Reference rows, none twice; at least 2; shape [m, d].
            tolerance: Least spread of each number; above 0; shape [d].
        """
        centre, spread = units_of(rows, tolerance)
        steps = np.clip(np.rint((rows - centre) / spread * STEPS), -_FURTHEST, _FURTHEST)
        return cls(centre, spread, steps.astype(np.int8))

    def scores(self, rows: Floats, own: Sequence[int | None] | None = None) -> Floats:
        """Score rows.

        Args:
            rows: Any rows; shape [n, d].
            own: For each row the place of the reference row that is its twin and is not to count, or None; n of them.

        Returns:
            Scores of 0 or more, about 1 for a row like the reference; shape [n].
        """
        between = self._distances((rows - self.centre) / self.spread)
        for row, twin in enumerate(own or ()):
            if twin is not None:
                between[row, twin] = np.inf
        nearest = np.argpartition(between, self._count - 1, axis=1)[:, : self._count]
        away = np.take_along_axis(between, nearest, axis=1).mean(axis=1)
        local = np.maximum(self._local[nearest].mean(axis=1), _LEAST_LOCAL)
        return np.asarray(np.round(away / local, _DECIMALS))

    def _distances(self, points: Floats) -> Floats:
        squares = np.square(points).sum(axis=1)[:, None] - 2 * points @ self._points.T + self._squares
        return np.asarray(np.sqrt(np.maximum(squares, 0)))


class WordNeighbours:
    """Distances between questions: one minus how alike the words are of the most alike reference question.

    Words are weighed by how rare they are in the reference, words that it does not have most of all (inverse document
    frequency, smoothed). Alikeness is the cosine, of the question's words and of the options' words, half and half; two
    questions without options agree in these.

    Args:
        rows: Reference questions; at least 1.
    """

    def __init__(self, rows: Sequence[Words]) -> None:
        self.rows = list(rows)
        self._weights = [_rarity([_part(row, part) for row in rows]) for part in range(2)]
        # Turned over once, as products want it.
        self._known = [self._matrix(rows, part).T.tocsr() for part in range(2)]
        self._empty = [_without(rows, part) for part in range(2)]

    def scores(self, rows: Sequence[Words], own: Sequence[Sequence[int]] | None = None) -> Floats:
        """Score questions.

        Args:
            rows: Any questions; n of them.
            own: For each the places of reference questions that are its twins and are not to count; n of them.

        Returns:
            Scores in [0, 1]; 1 too where no reference question is left to compare with; shape [n].
        """
        alike = np.array([self._alike(row) for row in rows]).reshape(len(rows), len(self.rows))
        for row, twins in enumerate(own or ()):
            alike[row, list(twins)] = 0.0
        return np.asarray(np.round(np.clip(1 - alike.max(axis=1), 0, 1), _DECIMALS))

    def _alike(self, row: Words) -> Floats:
        """Take a question's alikeness to each reference question; shape [m]."""
        # Not the product of two sparse matrices: to make one of a single question takes longer than all of this.
        places, shares = [np.zeros(0, dtype=np.intp)], [np.zeros(0)]
        for part, known in enumerate(self._known):
            columns, weights = self._weighed(row, part)
            for column, weight in zip(columns.tolist(), (0.5 * weights).tolist(), strict=True):
                having = slice(known.indptr[column], known.indptr[column + 1])
                places.append(known.indices[having])
                shares.append(weight * known.data[having])
        # Without any words numpy would count in whole numbers.
        alike = np.bincount(np.concatenate(places), np.concatenate(shares), len(self.rows)).astype(np.float64)
        for part, empty in enumerate(self._empty):
            if not _part(row, part):
                alike += 0.5 * empty
        return alike

    def _matrix(self, rows: Sequence[Words], part: int) -> csr_array:
        from scipy.sparse import csr_array  # takes time to import, and what describes pictures compares none

        columns, values = zip(*(self._weighed(row, part) for row in rows), strict=True)
        starts = np.cumsum([0, *(len(each) for each in columns)])
        return csr_array((np.concatenate(values), np.concatenate(columns), starts), shape=(len(rows), BUCKETS))

    def _weighed(self, row: Words, part: int) -> tuple[npt.NDArray[np.intp], Floats]:
        """Weigh a question's words, and bring them to length 1; there may be none."""
        columns = np.array(_part(row, part), dtype=np.intp)
        values = self._weights[part][columns]
        return columns, values / np.linalg.norm(values) if len(columns) else values


def _part(words: Words, part: int) -> tuple[int, ...]:
    return (words.question, words.options)[part]


def _without(rows: Sequence[Words], part: int) -> npt.NDArray[np.bool_]:
    return np.array([not _part(row, part) for row in rows])


def _rarity(rows: Sequence[tuple[int, ...]]) -> Floats:
    """ln((1 + rows) / (1 + rows with the word)) + 1, by bucket; shape [BUCKETS]."""
    having = np.bincount(np.concatenate([np.array(row, dtype=np.intp) for row in rows]), minlength=BUCKETS)
    return np.asarray(np.log((1 + len(rows)) / (1 + having)) + 1, dtype=np.float64)
