"""Verdicts read from a model's text: the option chosen and the confidence stated, or the reason why there is none.

Two readings are tried. The narrow one is the pair of expressions that published results were read with; wherever each
of them first finds a lone letter and a whole number, that pair stands, so that figures remain comparable. Otherwise the
wide reading takes the first option letter and the first confidence in any of the forms that models are seen to write.
Every expression is possessive (`*+`, `++`) and the separators it skips cannot hold its own first word, so that reading
takes time linear in the text, whatever the text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

InvalidReason = Literal[
    "empty", "no_answer", "no_confidence", "unknown_option", "no_logprobs", "no_options", "no_image"
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A model's decision.

    Attributes:
        answer: The chosen option's letter (upper case); for an open question the answer's text.
        confidence: Stated confidence in [0, 1].
    """

    answer: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Invalid:
    """Reason why a text holds no verdict; reported as such and never guessed.

    Attributes:
        reason: "empty": nothing but blanks; "no_answer": no answer is stated; "unknown_option": letters are given, but
            none of them is an option; "no_confidence": there is an answer and no readable confidence. The other three
            are said by estimators that cannot be applied: "no_logprobs": the server gave no log-probabilities for the
            answer's letter; "no_options", "no_image": the question has none.
    """

    reason: InvalidReason


def parse_verdict(text: str, letters: Collection[str]) -> Verdict | Invalid:
    """Read the first answer and the first confidence that a model's text states.

    An answer is a letter after "answer is" or "answer:", bare or in brackets, quotes or bold, in either case. A letter
    is read only where it stands alone: "C-reactive", "A/B" and the article of "the answer is a benign lesion" are not
    letters. A confidence is a number after "confidence" (then perhaps "is", "of", ":" or "="): a whole number is per
    cent; a number with a decimal point is a probability if it is at most 1 and has no per cent sign, else per cent.
    Ranges ("80-90"), fractions ("8/10"; "80/100" is read) and decimal commas are no confidence.

    Args:
        text: Anything at all.
        letters: The question's option letters, in any case and order; empty for an open question, whose answer is the
            text after the same words up to "with confidence" or the end of the line.

    Returns:
        The verdict with its confidence clipped to [0, 1], or the reason why there is none. Never raises.

    Example:
        >>> parse_verdict("The answer is B with confidence 85.", "ABCD")
        Verdict(answer='B', confidence=0.85)
        >>> parse_verdict("**Answer:** (c). Confidence: 0.7", "ABCD")
        Verdict(answer='C', confidence=0.7)
        >>> parse_verdict("I would rather not say.", "ABCD")
        Invalid(reason='no_answer')
        >>> parse_verdict("The answer is a benign lesion with confidence 60.", [])
        Verdict(answer='a benign lesion', confidence=0.6)
    """
    if not text or text.isspace():
        return Invalid("empty")
    if not letters:
        answer = _open_answer(text)
        return _verdict(answer or Invalid("no_answer"), _stated_confidence(text))
    options = frozenset(letter.upper() for letter in letters)
    narrow = _narrow_reading(text, options)
    return narrow if narrow is not None else _verdict(_chosen_letter(text, options), _stated_confidence(text))


def _verdict(answer: str | Invalid, confidence: float | None) -> Verdict | Invalid:
    if isinstance(answer, Invalid):
        return answer
    return Invalid("no_confidence") if confidence is None else Verdict(answer, confidence)


# --- The narrow reading -----------------------------------------------------------------------------------------------

_NARROW_ANSWER = re.compile(r"answer is\s++(?-i:([A-Za-z]))", re.IGNORECASE)
_NARROW_CONFIDENCE = re.compile(r"confidence\s++(\d++)(?!\.\d)", re.IGNORECASE)
_NARROW_CUE = re.compile(r"confidence\s++\d", re.IGNORECASE)


def _narrow_reading(text: str, options: frozenset[str]) -> Verdict | None:
    answer = next((found for found in _NARROW_ANSWER.finditer(text) if found[1].upper() in options), None)
    cue = _NARROW_CUE.search(text)
    if answer is None or cue is None or not _stands_alone(text, answer.start(1)):
        return None
    # Only the first number counts: a decimal ahead of a whole number means that the narrow reading would misread.
    number = _NARROW_CONFIDENCE.match(text, cue.start())
    if number is None or _NO_SINGLE_NUMBER.match(text, number.end()):
        return None
    return Verdict(answer[1].upper(), _clip(float(number[1]) / 100))


# --- The answer -------------------------------------------------------------------------------------------------------

_MARK = r"""\s*_`"'“”‘’«»"""
_CUE = rf"answer(?:[{_MARK}]++is(?=[{_MARK}:=(\[{{])|[{_MARK}]*+[:=])[{_MARK}:=(\[{{]*+"
# "Answer: the answer is ..." has one answer, not two.
_ANSWER_TEXT = re.compile(rf"{_CUE}(?:(?:the\s++)?{_CUE})?+", re.IGNORECASE)
# The letter is looked at and not consumed: it may begin the next "answer is".
_ANSWER_LETTER = re.compile(
    rf"{_CUE}(?:(?:option|choice|letter)\b[{_MARK}:=(\[{{]*+)?+(?=(?-i:([A-Za-z])))", re.IGNORECASE
)
# What ties a letter to more than itself: "B12", "C-reactive", "A's", "A/B", "A.V."
_JOINED = re.compile(r"[^\W_]|[-'’&/][^\W_]|\.[A-Za-z]\.")
_NEXT_WORD = re.compile(r"[^\S\n\r]++[*_`\"“‘]*+([^\W_]++)(-?)")
# An article cannot come before these, so a lower-case letter before them is an answer.
_AFTER_A_LETTER = frozenset(
    {"although", "and", "at", "because", "but", "confidence", "for", "from", "however", "i", "if", "my", "or", "since"}
    | {"that", "though", "when", "where", "which", "while", "with"}
)


def _chosen_letter(text: str, options: frozenset[str]) -> str | Invalid:
    reason: InvalidReason = "no_answer"
    for found in _ANSWER_LETTER.finditer(text):
        if not _stands_alone(text, found.start(1)):
            continue
        letter = found[1].upper()
        if letter in options:
            return letter
        reason = "unknown_option"
    return Invalid(reason)


def _stands_alone(text: str, at: int) -> bool:
    return not _JOINED.match(text, at + 1) and not _is_a_word(text, at)


def _is_a_word(text: str, at: int) -> bool:
    """Whether a one-letter token is the article "a" or the pronoun "I" rather than an option's letter."""
    letter = text[at]
    if letter not in "aAI":
        return False
    following = _NEXT_WORD.match(text, at + 1)
    if following is None or (following[1].lower() in _AFTER_A_LETTER and not following[2]):
        return False
    # A capital A within a sentence is an option's letter, unless the sentence shouts.
    shouted = text[max(at - 3, 0) : at].upper() == "IS " == text[max(at - 3, 0) : at] and following[1].isupper()
    return letter != "A" or shouted


_ANSWER_END = re.compile(r"\n|(confidence)", re.IGNORECASE)
_BEFORE_CONFIDENCE = frozenset({"with", "and", "at", "a", "my"})
_EDGES = " \t\r\f\v*_`\"'“”‘’«».,;:([{-–—"


def _open_answer(text: str) -> str | None:
    for cue in _ANSWER_TEXT.finditer(text):
        end = _ANSWER_END.search(text, cue.end())
        answer = text[cue.end() : end.start() if end else len(text)].rstrip(_EDGES)
        if end and end[1]:
            for _ in range(2):  # "with a", "and my"
                rest, _, last = answer.rpartition(" ")
                if last.lower() in _BEFORE_CONFIDENCE:
                    answer = rest.rstrip(_EDGES)
        if answer:
            return answer
    return None


# --- The confidence ---------------------------------------------------------------------------------------------------

_SEPARATOR = rf"[{_MARK}:=(\[{{]"
_SCALE = r"\((?:in )?(?:%|per ?cent|0 ?(?:[-–]|to) ?100 ?%?)\)"
_CONFIDENCE = re.compile(
    rf"confidence(?:\s++(?:level|score|rating))?+(?:\s*+{_SCALE})?+{_SEPARATOR}++"
    rf"(?:(?:is|of)\b{_SEPARATOR}*+)?+(?:[-–—]\s++)?+(-?(?:\d++(?:\.\d++)?+|\.\d++))(\s*+(?:%|per ?cent))?+",
    re.IGNORECASE,
)
_NO_SINGLE_NUMBER = re.compile(r"[-–,]\d|\s*+/\s*+(?!100(?!\d))\d|e[-+]?\d", re.IGNORECASE)


def _stated_confidence(text: str) -> float | None:
    for found in _CONFIDENCE.finditer(text):
        if _NO_SINGLE_NUMBER.match(text, found.end()):
            continue
        number = float(found[1])
        is_probability = "." in found[1] and number <= 1 and not found[2]
        return _clip(number if is_probability else number / 100)
    return None


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
