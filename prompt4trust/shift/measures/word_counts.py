"""Distances between a question and a vocabulary: which words the reference questions have, and how many of them do.

No reference question is kept, so that none can be looked up, and no word or pair of words that only few of them have:
who guesses a rare question finds no trace of it. What is lost is how alike a question is to the most alike one;
neighbouring pairs of words, which are counted as words are, stand for some of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from prompt4trust.shift.words import BUCKETS, Words

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.intp]

_USUAL: Final = 0.99
"""Quantile of the reference questions' own values that each of the three is measured in."""
_LEAST: Final = (0.05, 0.5, 0.5)
"""Least units of rarity, new words of the question, and new words of the options: one word too many counts twice."""
_DECIMALS: Final = 6

LEAST_WORDINGS: Final = 5
"""Wordings without which a word or pair is not kept: it would tell of single ones."""
USUAL_WORDING: Final = 10
"""Times that one wording is asked from which on it is a usual one: its words are kept, as they tell of nobody."""


class WordCounts:
    """Distances of three kinds, of which the largest counts.

    They are how rare the words are (inverse document frequency, smoothed; mean of the question's words and pairs of
    neighbouring words, and of the options' words, half and half); the words and pairs of the question that are not
    kept; and the words of the options that are not. Each is in units of what is large among the reference
    questions themselves, every one judged without its twins, so that 1 is about the largest that is usual.

    Args:
        question: Reference questions that have each word or pair; shape [BUCKETS].
        options: Reference questions whose options have each word; shape [BUCKETS].
        n: Different reference questions, at least 1.
        units: What each of the three is divided by, above 0; shape [3].
        least: What smaller counts above 0 are taken for.
    """

    def __init__(self, question: Counts, options: Counts, n: int, units: Floats, least: int = 1) -> None:
        self.counts = (question, options)
        self.n = n
        self.units = units
        self.least = least

    @classmethod
    def fit(cls, rows: Sequence[Words], twins: Sequence[Sequence[int]], times: Sequence[int]) -> Self:
        """Count the words that are not of few wordings alone, and learn what is large.

        Args:
            rows: Different reference questions; at least 1.
            twins: For each the places of those of its wording, its own among them.
            times: How often each is asked.
        """
        question, options = (_kept([_part(row, part) for row in rows], twins, times) for part in range(2))
        counted = cls(question, options, len(rows), np.ones(3), LEAST_WORDINGS)
        own = [[rows[place] for place in places] for places in twins]
        usual: Floats = np.quantile(counted.distances(rows, own), _USUAL, axis=0, method="higher")
        units = np.asarray(np.round(np.maximum(usual, _LEAST), _DECIMALS), dtype=np.float64)
        return cls(question, options, len(rows), units, LEAST_WORDINGS)

    def scores(self, rows: Sequence[Words], own: Sequence[Sequence[Words]] | None = None) -> Floats:
        """Score questions.

        Args:
            rows: Any questions; n of them.
            own: For each the reference questions that are its twins and are not to count; n of them.

        Returns:
            Scores of 0 or more; shape [n].
        """
        return np.asarray(np.round((self.distances(rows, own) / self.units).max(axis=1), _DECIMALS))

    def distances(self, rows: Sequence[Words], own: Sequence[Sequence[Words]] | None = None) -> Floats:
        """Compute the three distances of questions (see `scores`), not yet in units; shape [n, 3]."""
        found = [self._distance(row, twins) for row, twins in zip(rows, own or [()] * len(rows), strict=True)]
        return np.array(found, dtype=np.float64).reshape(-1, 3)

    def _distance(self, row: Words, twins: Sequence[Words]) -> tuple[float, int, int]:
        rarity, new = 0.0, []
        for part, counts in enumerate(self.counts):
            words = np.array(_part(row, part), dtype=np.intp)
            having = counts[words]
            for twin in twins:
                having = having - np.isin(words, _part(twin, part))
            # What is not kept is at 0 with its twins and at less without.
            having = np.where(having > 0, np.maximum(having, self.least), 0)
            if len(words):
                rarity += 0.5 * float(np.log((1 + self.n - len(twins)) / (1 + having)).mean())
            new.append(int((having == 0).sum()))
        return rarity, new[0], new[1]


def vocabulary_of(counts: Counts, least: int = 1) -> list[tuple[int, int]]:
    """List the words that are kept, as numbers, and how many reference questions have each; `least` for fewer."""
    return [(int(bucket), max(least, int(counts[bucket]))) for bucket in np.flatnonzero(counts)]


def counts_of(vocabulary: Sequence[tuple[int, int]]) -> Counts:
    """Lay such a list out by bucket; shape [BUCKETS]."""
    counts = np.zeros(BUCKETS, dtype=np.intp)
    for bucket, count in vocabulary:
        counts[bucket] = count
    return counts


def _part(words: Words, part: int) -> tuple[int, ...]:
    return (words.question, words.options)[part]


def _kept(rows: Sequence[tuple[int, ...]], twins: Sequence[Sequence[int]], times: Sequence[int]) -> Counts:
    """Count the rows that have each word, 0 for words of few wordings of which none is usual; shape [BUCKETS]."""
    wordings = np.zeros(BUCKETS, dtype=np.intp)
    most = np.zeros(BUCKETS, dtype=np.intp)
    for places in {tuple(each) for each in twins}:
        asked: dict[int, int] = {}
        for place in places:
            for word in rows[place]:
                asked[word] = asked.get(word, 0) + times[place]
        words = list(asked)
        wordings[words] += 1
        most[words] = np.maximum(most[words], list(asked.values()))
    return np.where((wordings >= LEAST_WORDINGS) | (most >= USUAL_WORDING), _having(rows), 0)


def _having(rows: Sequence[tuple[int, ...]]) -> Counts:
    return np.bincount(np.array([word for row in rows for word in row], dtype=np.intp), minlength=BUCKETS)
