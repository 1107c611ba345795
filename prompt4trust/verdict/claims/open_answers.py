"""Answers to open questions: the text behind the words that announce an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from prompt4trust.verdict.claims.claim import MOST_CLAIMS, Claim
from prompt4trust.verdict.claims.letters import CUE
from prompt4trust.verdict.claims.standing import is_meant
from prompt4trust.verdict.words.expressions import expression

_ANSWER_TEXT = expression(rf"{CUE}(?:(?:the\s++)?{CUE})?+|答案(?:[:=\s]|是|为)++", re.IGNORECASE)
_ANSWER_END = expression(r"\n|(confidence|置信度|信心)", re.IGNORECASE)
_LONGEST_ANSWER = 1_000
_BEFORE_CONFIDENCE = frozenset({"with", "and", "at", "a", "my"})
_EDGES = " \t\r\f\v*_`\"'“”‘’«».,;:([{}-–—\ufffc"


def open_answers(text: str) -> Iterator[Claim]:
    """List the answers to an open question that a plain text claims.

    Args:
        text: Plain text.

    Yields:
        What follows "answer is" and the like, up to "with confidence" or the end of the line.
    """
    for cue in islice(_ANSWER_TEXT.finditer(text), MOST_CLAIMS + 1):
        most = min(cue.end() + _LONGEST_ANSWER, len(text))
        end = _ANSWER_END.search(text, cue.end(), most)
        stop = end.start() if end else most
        answer = text[cue.end() : stop].rstrip(_EDGES)
        if end and end[1]:
            for _ in range(2):  # "with a", "and my"
                rest, _, last = answer.rpartition(" ")
                if last.lower() in _BEFORE_CONFIDENCE:
                    answer = rest.rstrip(_EDGES)
        if answer and answer.lower() != "none":
            yield Claim(cue.start(), cue.end(), stop, answer, meant=is_meant(text, cue.start(), cue.end()))
