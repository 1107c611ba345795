"""The table of words that take a verdict back: each word once, and whole patterns for each place."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.denials import DENIALS
from prompt4trust.verdict.words.others import OTHERS
from prompt4trust.verdict.words.turns import TURNS

ROWS = [*TURNS, *OTHERS, *DENIALS]


def test_each_word_stands_once_and_counts_somewhere() -> None:
    assert [word for word, count in Counter(word for word, _ in ROWS).items() if count > 1] == []
    assert [word for word, places in ROWS if not places] == []


@pytest.mark.parametrize("table", [TURNS, OTHERS, DENIALS])
def test_words_are_in_order(table: tuple[tuple[str, Place], ...]) -> None:
    keys = [re.sub(r"\W|\?:", "", word).lower() for word, _ in table]
    assert keys == sorted(keys)


@pytest.mark.parametrize("place", Place)
def test_a_place_s_pattern_finds_whole_words_and_numbers_no_group(place: Place) -> None:
    pattern = re.compile(words_at(place), re.IGNORECASE)
    assert pattern.groups == 0
    plain = [word for word, places in ROWS if place & places and re.fullmatch(r"[a-z ]+", word)]
    assert plain
    for word in plain:
        assert pattern.search(f"is {word.upper()} so")
        assert not pattern.fullmatch(f"{word}zq")
