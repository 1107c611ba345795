"""Vocabularies: rarity and new words as they are counted by hand, twins left out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from prompt4trust.shift.measures.word_counts import LEAST_WORDINGS, USUAL_WORDING, WordCounts, counts_of, vocabulary_of
from prompt4trust.shift.words import Words, describe_words


def question(text: str, *options: str) -> Words:
    return describe_words(text, dict(zip("ABC", options, strict=False)))


KNOWN = [
    question("Which side?", "Left", "Right"),
    question("Which side?", "Left", "Midline"),
    question("Which organ is shown?", "Liver", "Heart"),
    question("Is it large?", "Yes", "No"),
]
TWINS = [[0, 1], [0, 1], [2], [3]]
USUAL = [USUAL_WORDING] * 4
FOUND = WordCounts.fit(KNOWN, TWINS, USUAL)
COUNTED = WordCounts(*FOUND.counts, FOUND.n, FOUND.units)  # smaller counts than are kept, to be counted by hand


def test_distances_are_what_one_counts_by_hand() -> None:
    [distance] = COUNTED.distances([question("Which lung?", "Left", "Both")])
    # "which" is in three of four questions, "lung" and "which lung" in none; "left" in two, "both" in none.
    rarity = 0.5 * np.mean([math.log(5 / 4), math.log(5), math.log(5)]) + 0.5 * np.mean([math.log(5 / 3), math.log(5)])
    assert distance == pytest.approx([rarity, 2, 1])
    assert COUNTED.scores([question("Which lung?", "Left", "Both")])[0] == pytest.approx(
        max(distance / COUNTED.units), abs=1e-6
    )


def test_twins_do_not_count() -> None:
    [own] = COUNTED.distances([KNOWN[0]], [[KNOWN[0], KNOWN[1]]])
    # Without both of this wording "which" is in one of two; "side" and "which side" are in none, nor is any option.
    assert own == pytest.approx([0.5 * (math.log(3 / 2) + 2 * math.log(3)) / 3 + 0.5 * math.log(3), 2, 2])
    assert COUNTED.distances([KNOWN[0]])[0][1:] == pytest.approx([0, 0])


def test_units_are_what_is_large_among_the_known_ones() -> None:
    own = FOUND.distances(KNOWN, [[KNOWN[place] for place in twins] for twins in TWINS])
    assert FOUND.units == pytest.approx(np.maximum(own.max(axis=0), (0.05, 0.5, 0.5)), abs=1e-6)


def test_a_question_without_options_and_one_without_words_have_a_distance() -> None:
    scores = FOUND.scores([question("Which side?"), question("?")])
    assert np.isfinite(scores).all()


def test_a_file_keeps_words_and_counts_alone() -> None:
    kept = vocabulary_of(FOUND.counts[0])
    assert max(count for _, count in kept) == 3  # "which"
    assert (counts_of(kept) == FOUND.counts[0]).all()
    assert len(kept) == len({word for row in KNOWN for word in row.question})
    assert {count for _, count in vocabulary_of(FOUND.counts[0], LEAST_WORDINGS)} == {LEAST_WORDINGS}


def test_nothing_is_kept_of_what_few_wordings_have() -> None:
    """A question of one person leaves no trace: neither its words nor their pairs, nor what its options say."""
    asked = [question(f"Which {side} is shown?", "Yes", "No") for side in ("lung", "lobe", "rib", "vessel")]
    rare = question("Which Chiari is shown?", "Yes", "Perhaps")
    rows = [*asked, rare]
    found = WordCounts.fit(rows, [[place] for place in range(5)], [1] * 5)
    shared = {*question("which").question, *question("is shown").question}
    assert {bucket for bucket, _ in vocabulary_of(found.counts[0])} == shared
    assert vocabulary_of(found.counts[1]) == [(bucket, 5) for bucket in question("", "Yes").options]
    # Asked as often as a usual one, by itself, it tells of nobody.
    often = WordCounts.fit(rows, [[place] for place in range(5)], [1, 1, 1, 1, USUAL_WORDING])
    assert set(rare.question) <= {bucket for bucket, _ in vocabulary_of(often.counts[0])}
    # Four wordings are too few, however many options they are asked with.
    twins = [[0, 1], [0, 1], [2], [3], [4]]
    few = WordCounts.fit([asked[0], *asked[:3], rare], twins, [1] * 5)
    assert not vocabulary_of(few.counts[0])
