"""Distances to reference inputs: against loops and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.neighbors import NearestNeighbors

from prompt4trust.shift.measures.neighbours import NEIGHBOURS, STEPS, NumberNeighbours, WordNeighbours
from prompt4trust.shift.words import BUCKETS, Words, describe_words, wording


def rows(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal([1, 20, -3], [1, 5, 0.2], (n, 3))


def test_numbers_are_scored_as_scikit_learn_counts_neighbours() -> None:
    known, new = rows(60, 0), rows(20, 1)
    found = NumberNeighbours.fit(known, np.full(3, 1e-3))
    points = found.rows / STEPS
    search = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(points)
    local = search.kneighbors()[0].mean(axis=1)  # of the points themselves: without each itself
    away, nearest = search.kneighbors((new - found.centre) / found.spread)
    assert found.scores(new) == pytest.approx(away.mean(axis=1) / local[nearest].mean(axis=1), abs=2e-6)
    assert np.abs(points - (known - known.mean(axis=0)) / known.std(axis=0)).max() < 1 / STEPS


def test_a_twin_does_not_count_where_it_is_named() -> None:
    known = rows(60, 0)
    found = NumberNeighbours.fit(known, np.full(3, 1e-3))
    alone, without = found.scores(known[:1]), found.scores(known[:1], [0])
    assert without[0] > alone[0]
    assert found.scores(known[:2], [0, None])[1] == found.scores(known[1:2])[0]


def test_what_never_varies_is_measured_by_its_tolerance() -> None:
    known = np.column_stack([rows(60, 0)[:, 0], np.zeros(60)])
    found = NumberNeighbours.fit(known, np.array([1e-3, 0.5]))
    assert found.spread[1] == 0.5
    near, far = found.scores(np.array([[1.0, 0.05], [1.0, 5.0]]))
    assert near < 3 < far


def question(text: str, *options: str) -> Words:
    return describe_words(text, dict(zip("ABCD", options, strict=False)))


KNOWN = [
    question("Which side is affected?", "Left", "Right"),
    question("How large is the lesion?", "Small", "Large"),
    question("What is seen?"),
]


def test_words_are_scored_by_the_cosine_of_rare_words() -> None:
    new = question("Which side is larger?", "Left", "Middle")

    def weighed(part: str, words: Words) -> np.ndarray:
        counts = np.zeros((4, BUCKETS))
        for row, each in zip(counts, [*KNOWN, words], strict=True):
            row[list(getattr(each, part))] = 1
        table: np.ndarray = TfidfTransformer().fit(counts[:3]).transform(counts).toarray()
        return table

    alike = sum(0.5 * (table := weighed(part, new))[:3] @ table[3] for part in ("question", "options"))
    assert WordNeighbours(KNOWN).scores([new])[0] == pytest.approx(1 - alike.max(), abs=2e-6)


def test_the_same_words_are_near_and_other_words_are_far() -> None:
    found = WordNeighbours(KNOWN)
    same = question("which side IS affected", "right", "left")
    assert found.scores([same, question("Wat nu?", "Ja", "Nee")]).tolist() == [0.0, 1.0]
    assert found.scores([same], [[0]])[0] > 0.4
    assert found.scores([same], [[0, 1, 2]]).tolist() == [1.0]
    assert found.scores([question("What is seen?")]).tolist() == [0.0]  # an open question beside an open question


def test_words_are_what_they_were_in_another_process() -> None:
    # The file names words by these numbers: another hash would be another descriptor.
    assert describe_words("Which side?", {"A": "Left"}) == Words((9207, 17863, 56618), (26979,))
    assert wording(" Which  SIDE?! ") == "which side"
