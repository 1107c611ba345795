"""A reader of its own for what a text claims of its certainty: words in a list, numbers near them, no pattern shared.

It reads token by token what the product reads by expressions: marks are taken away, then each word is looked up.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator

SURE = frozenset(
    {
        "clearly",
        "definitely",
        "definite",
        "certainly",
        "certain",
        "undoubtedly",
        "obviously",
        "surely",
        "sure",
        "unsure",
    }
    | {
        "confident",
        "confidently",
        "convinced",
        "doubtless",
        "unequivocally",
        "unquestionably",
        "absolutely",
        "uncertain",
    }
    | {
        "likely",
        "unlikely",
        "probably",
        "possibly",
        "possible",
        "probable",
        "perhaps",
        "maybe",
        "presumably",
        "guaranteed",
    }
)
PAIRS = frozenset(
    {("no", "doubt"), ("without", "doubt"), ("of", "course"), ("must", "be"), ("i", "think"), ("i", "believe")}
)
NUMBER_WORDS = frozenset({"confidence", "certainty", "likelihood", "probability", "odds", "chance"})
CHINESE = ("肯定", "显然", "毫无疑问", "一定是", "可能是")
CHINESE_NUMBER_WORDS = ("置信度", "信心", "把握")
NEAR = 4


def claims_in(text: str) -> list[str]:
    """Claims of a text outside marks: words of certainty, and numbers near "confidence" and the like."""
    bare = _without_marks(unicodedata.normalize("NFKC", text).replace("\u200b", ""))
    found = [word for word in CHINESE if word in bare]
    for word in CHINESE_NUMBER_WORDS:
        at = bare.find(word)
        while at >= 0:
            if any(sign.isdigit() for sign in bare[at + len(word) : at + len(word) + 3]):
                found.append(word)
            at = bare.find(word, at + 1)
    for sentence in _sentences(bare):
        tokens = list(_tokens(sentence))
        found += [word for word in tokens if word in SURE]
        found += [" ".join(pair) for pair in itertools.pairwise(tokens) if pair in PAIRS]
        for place, word in enumerate(tokens):
            around = tokens[max(place - 2, 0) : place + NEAR]
            if word in NUMBER_WORDS and "interval" not in around and "scale" not in tokens:
                found += [f"{word} {each}" for each in around if each[0].isdigit()]
    return found


def _without_marks(text: str) -> str:
    kept, depth = [], 0
    place = 0
    while place < len(text):
        opens = text.startswith(("[unchecked: ", "[number left out]"), place)
        if opens:
            depth = 1
        if depth == 0:
            kept.append(text[place])
        elif text[place] == "]":
            depth = 0
            kept.append(" ; ")
        place += 1
    return "".join(kept)


def _sentences(text: str) -> Iterator[str]:
    sentence = ""
    for sign, following in zip(text, f"{text[1:]} ", strict=False):
        sentence += sign
        if sign == "\n" or (sign in ".?!;" and not following.isdigit()):
            yield sentence
            sentence = ""
    yield sentence


def _tokens(sentence: str) -> Iterator[str]:
    word = ""
    for sign in f"{sentence.lower()} ":
        if sign.isalnum():
            word += sign
        elif word:
            yield word
            word = ""
