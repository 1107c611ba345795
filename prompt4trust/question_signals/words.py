"""Signals that say which words a question has and which words were chosen to answer it: hashed, never the text.

What a model is asked and what it says tell how often it is right, beside its confidence: it may count badly, or say
"bilateral" too often. A word is one of `BUCKETS` numbers, so that a signal's name says little of what was asked;
which of them are kept outside a run is said by `known_words`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice, pairwise
from typing import Final
from zlib import crc32

DESCRIBED: Final = "words_described"
"""Signal, always 1, of an answer whose words are told: a word that it does not name is then one that it lacks."""
KNOWN: Final = "words_known:"
"""Begins the name of a signal, always 1, of an answer whose record keeps known words alone: which ones, by a digest."""
ASKS: Final = "asks:"
"""Begins the names of words, and of pairs of neighbouring words, of the question."""
SAYS: Final = "says:"
"""Begins the names of words of the chosen option."""
BUCKETS: Final = 256
"""Different words of either kind; a question has about a dozen, and a calibrator as many weights at most."""
MOST_ASKED: Final = 64
"""Words of a question that count, so that the longest one takes no longer than a usual one."""

_WORD: Final = re.compile(r"\w+")
_NAME: Final = re.compile(rf"(?:{ASKS}|{SAYS})(?:0|[1-9][0-9]{{0,2}})")


def word_signals(question: str, chosen: str | None) -> dict[str, float]:
    """Describe a question and the answer that was chosen.

    Args:
        question: Its text; case, punctuation, blanks, and what comes after `MOST_ASKED` words do not enter.
        chosen: The chosen option's text; None where there is none, as of an open question.

    Returns:
        `DESCRIBED`, and one signal of value 1 for every word; each word hashed to one of `BUCKETS` (Weinberger et al.,
        ICML 2009).

    Example:
        >>> sorted(word_signals("Which side?", "Left"))
        ['asks:143', 'asks:181', 'asks:89', 'says:104', 'words_described']
    """
    words = _first_words(question)
    asked = (*words, *(f"{one} {other}" for one, other in pairwise(words)))
    said = () if chosen is None else _first_words(chosen)
    return {DESCRIBED: 1.0} | dict.fromkeys((*_named(ASKS, asked), *_named(SAYS, said)), 1.0)


def known_words(signals: Mapping[str, float], known: Iterable[str]) -> dict[str, float]:
    """Leave out the words that are not known ones and say which ones were known; other signals stay.

    Of a word that was left out nothing tells whether the question had it. So answers are fitted on together only where
    the same words were known of all.

    Example:
        >>> known_words({"asks:1": 1.0, "asks:2": 1.0, "agreement": 0.5}, ["asks:2"])
        {'asks:2': 1.0, 'agreement': 0.5, 'words_known:9bf6ceb1': 1.0}
    """
    kept = frozenset(known)
    told = {name: value for name, value in signals.items() if name in kept or not is_word(name)}
    return {**told, f"{KNOWN}{crc32(' '.join(sorted(kept)).encode()):08x}": 1.0}


def is_word(signal: str) -> bool:
    """Whether a signal's name is one of a word.

    Example:
        >>> is_word("asks:17"), is_word("says:256"), is_word("words_described")
        (True, False, False)
    """
    return _NAME.fullmatch(signal) is not None and int(signal.partition(":")[2]) < BUCKETS


def split_words(text: str) -> list[str]:
    """Divide a text into words, case folded; what is between them is left out.

    Example:
        >>> split_words("Which  side, please?")
        ['which', 'side', 'please']
    """
    return _WORD.findall(text.casefold())


def _first_words(text: str) -> list[str]:
    return [found[0] for found in islice(_WORD.finditer(text.casefold()), MOST_ASKED)]


def _named(prefix: str, words: Iterable[str]) -> list[str]:
    # Not Python's own hash, which differs from process to process. Nothing has to be hidden by it.
    return [f"{prefix}{crc32(word.encode('utf-8', 'surrogatepass')) % BUCKETS}" for word in words]
