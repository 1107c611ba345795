"""Confidences in something else than the answer: "I am 95% sure that this is a CT in the portal venous phase".

Who is so and so sure *that something is so* is sure of what the clause says. It belongs to the answer where it names
the option's letter or shares a word with its text, speaks of the answer itself, or says nothing but "this" or "it".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from prompt4trust.verdict.words.expressions import expression

_FLAGS = re.IGNORECASE
_PROSE = expression(r"\b(?:sure|confiden|certain)", _FLAGS)
_CLAUSE = expression(
    r"(?:(?:confiden\w*|certain\w*|sure)\b)?[,:]? ?"
    r"(?P<clause>(?:that|this|it|there|these|the|we|in|of|about|an?|I see)\b[^.;!?\n,—–(]*)",
    _FLAGS,
)
# "90% sure scaling is present", and "visible scaling: 90% sure".
_BARE_CLAUSE = expression(r"(?<=sure|tain|dent) (?P<clause>[a-z][^.;!?\n,—–(:]*)", _FLAGS)
_BRACKETED = expression(
    r"[:,] (?:I(?:['’]m| am) )?$|\((?:about |around |roughly |~|I(?:['’]m| am) |with |at |my )*$", _FLAGS
)
# A reason is none of what is claimed.
_REASON = expression(
    r"\b(?:because|since|given|as|based|due|considering|owing|but|though|although|so|and|while)\b", _FLAGS
)
_OF_THE_ANSWER = expression(
    r"\b(?:answer|option|choice|pick|selection|letter|correct|right(?=\W*$)|true|diagnosis|conclusion"
    r"|assessment|judge?ment"
    r"|response|reply|decision|verdict|interpretation|reading|call|prediction|classification|impression|best|so|final|confidence|certainty"
    r"|case)\b",
    _FLAGS,
)
_CAPITAL = expression(r"(?<![\w'’-])[B-HJ-Z](?![\w'’-])")
_WORD = expression(r"[^\W\d_]{3,}|[A-Z]{2,}")
_EMPTY = frozenset(
    {
        "that",
        "this",
        "the",
        "there",
        "these",
        "here",
        "its",
        "are",
        "was",
        "has",
        "have",
        "for",
        "about",
        "with",
        "what",
        "one",
    }
    | {
        "must",
        "being",
        "would",
        "should",
        "indeed",
        "really",
        "see",
        "which",
        "shown",
        "seen",
        "case",
        "image",
        "picture",
    }
)
# Where the option's text is not known or too short to be found again.
_OF_THE_PICTURE = expression(
    r"\b(?:CT|MRI|MR|PET|DSA|OCT|ECG|ultrasound|radiograph|x-?ray|scan|phase|view|projection|sequence|weighted"
    r"|stain\w*|plane"
    r"|slice|image|picture|film|modality|section|contrast|photo\w*|left|right side|patient|quality)\b",
    _FLAGS,
)
_ENDS = expression(r"[.;!?](?=\s|$)|\n")
_NEAR = 200
_STEM = 5


def is_of_another_claim(text: str, at: int, end: int, answer: str, options: Mapping[str, str]) -> bool:
    """Whether a confidence is said of a statement that is not the answer.

    Args:
        text: Plain text.
        at: Place of the confidence, of which no other letter is named.
        end: Place behind its number and unit.
        answer: The chosen letter.
        options: Letter -> text; "" where it is not known.

    Example:
        >>> text = "I am 95% sure that this is a CT. The answer is C."
        >>> is_of_another_claim(text, 5, 13, "C", {"C": "Splenic tear"})
        True
    """
    if not _PROSE.search(text[at : end + 12]):
        return False
    found = _CLAUSE.match(text, end) or _BARE_CLAUSE.match(text, end)
    if found:
        return _says_otherwise(found["clause"], answer, options)
    since = max(at - _NEAR, 0)
    if not _BRACKETED.search(text, since, at):
        return False
    *_, start = [since, *(each.end() for each in _ENDS.finditer(text, since, at))]
    return _says_otherwise(text[start:at], answer, options)


def _says_otherwise(clause: str, answer: str, options: Mapping[str, str]) -> bool:
    own = options.get(answer, "")
    reason = _REASON.search(clause)
    said = clause[: reason.start()] if reason else clause
    words = {word.lower() for word in _WORD.findall(said)} - _EMPTY
    if any(each in options and each != answer for each in _CAPITAL.findall(said)):
        return True
    if not words or _OF_THE_ANSWER.search(said) or re.search(rf"(?<![\w'’-]){answer}(?![\w'’-])", said):
        return False
    known = {word.lower()[:_STEM] for word in _WORD.findall(own)}
    if len(own) <= 3 or not known:
        return _OF_THE_PICTURE.search(said) is not None
    return not known & {word[:_STEM] for word in words}
