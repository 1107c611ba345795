"""Words as signals: what is the same wording, what is told, and what a deferral does not tell."""

from __future__ import annotations

from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from prompt4trust.estimators.option_signals import without_options
from prompt4trust.question_signals.words import (
    BUCKETS,
    DESCRIBED,
    KNOWN,
    MOST_ASKED,
    is_word,
    known_words,
    word_signals,
)


def bucket(word: str) -> int:
    """The last byte of the CRC-32 of ISO 3309, a bit at a time."""
    crc = 0xFFFFFFFF
    for byte in word.encode():
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    return (crc ^ 0xFFFFFFFF) % BUCKETS


def test_a_question_is_its_words_its_pairs_and_the_words_that_were_chosen() -> None:
    told = word_signals("Which side,  PLEASE?", "Left lung")
    asked = {f"asks:{bucket(word)}" for word in ("which", "side", "please", "which side", "side please")}
    said = {f"says:{bucket(word)}" for word in ("left", "lung")}  # no pairs: options are short
    assert told == dict.fromkeys({DESCRIBED, *asked, *said}, 1.0)
    assert word_signals("which side please", "LEFT - lung!") == told
    assert word_signals("Which side, please?", None) == dict.fromkeys({DESCRIBED, *asked}, 1.0)
    assert word_signals("?", "-") == {DESCRIBED: 1.0}


def test_of_a_long_question_the_first_words_count() -> None:
    words = [f"word{place}" for place in range(1000)]
    assert word_signals(" ".join(words), None) == word_signals(" ".join(words[:MOST_ASKED]), None)


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_has_words_of_the_known_names(question: str, chosen: str) -> None:
    told = word_signals(question, chosen)
    assert set(told.values()) == {1.0}
    assert all(is_word(name) for name in told if name != DESCRIBED)


def test_names_that_are_no_words() -> None:
    assert is_word("asks:0")
    assert is_word("says:255")
    for name in ("asks:256", "asks:01", "asks:", "asks:-1", "says:1 ", "option:A", "agreement", DESCRIBED):
        assert not is_word(name)


def test_what_is_not_known_is_not_told() -> None:
    told = word_signals("Is Mrs Example's heart large?", "Yes")
    known = [f"asks:{bucket(word)}" for word in ("heart", "large")]
    assert known_words({**told, "agreement": 0.5}, known) == {
        DESCRIBED: 1.0,
        "agreement": 0.5,
        f"{KNOWN}{crc32(' '.join(sorted(known)).encode()):08x}": 1.0,
        **dict.fromkeys(known, 1.0),
    }


def test_the_words_of_a_deferred_guess_are_kept_apart() -> None:
    told = word_signals("Which side?", "Left")
    assert set(without_options(told)) == {name for name in told if not name.startswith("says:")}
