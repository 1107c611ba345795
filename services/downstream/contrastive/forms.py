"""Replies in the forms that answer templates ask for, and their pieces, which stand for tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

REASON = "Of all options its text is nearest to the picture."
_PIECE = re.compile(r" ?[A-Za-z]+| ?[0-9]|[^A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class WrittenReply:
    """A reply.

    Attributes:
        pieces: All of its text, in pieces.
        letter_at: Place of the letter among them.
    """

    pieces: tuple[str, ...]
    letter_at: int


Form = Callable[[str, float], str]
"""A letter and its probability -> a reply's text."""


def per_cent(probability: float) -> int:
    """State a probability in whole per cent, 99 at most: a comparison of vectors makes nothing certain.

    Example:
        >>> per_cent(0.874), per_cent(1.0)
        (87, 99)
    """
    return min(99, round(100 * probability))


def share(probability: float) -> float:
    """State a probability with three decimals, .999 at most.

    Example:
        >>> share(0.99999)
        0.999
    """
    return min(0.999, round(probability, 3))


def _sentence(letter: str, probability: float) -> str:
    return f"The answer is {letter} with confidence {per_cent(probability)}. {REASON}"


def _sentence_last(letter: str, probability: float) -> str:
    return f"The answer is {letter} with confidence {per_cent(probability)}."


def _sentence_of_shares(letter: str, probability: float) -> str:
    return f"The answer is {letter} with confidence {share(probability)}."


def _document(letter: str, confidence: float, *, reason_first: bool) -> str:
    reason, verdict = {"explanation": REASON}, {"answer": letter, "confidence": confidence}
    fields = {**reason, **verdict} if reason_first else {**verdict, **reason}
    return json.dumps(fields, separators=(",", ":"))


def _json_per_cent(letter: str, probability: float) -> str:
    return _document(letter, per_cent(probability), reason_first=False)


def _json_per_cent_last(letter: str, probability: float) -> str:
    return _document(letter, per_cent(probability), reason_first=True)


def _json_share(letter: str, probability: float) -> str:
    return _document(letter, share(probability), reason_first=False)


def _json_share_last(letter: str, probability: float) -> str:
    return _document(letter, share(probability), reason_first=True)


def _letter(letter: str, _probability: float) -> str:
    return letter


FREE: Form = _sentence
"""The form of a reply that is held to none: the sentence that the shipped templates ask for, and a reason behind it."""

# A form that takes shares as well as whole numbers says so by its scale: a number between 0 and 1 comes first there.
HELD: tuple[Form, ...] = (
    _sentence,
    _sentence_last,
    _sentence_of_shares,
    _json_share,
    _json_share_last,
    _json_per_cent,
    _json_per_cent_last,
    _letter,
)
"""Forms that are tried, in this order, where a request holds its replies to one."""


def fitting_form(holds: Callable[[str], bool], probabilities: Iterable[tuple[str, float]]) -> tuple[Form, list[str]]:
    """Choose the form that a constraint allows for most letters.

    Args:
        holds: Whether the constraint allows a text.
        probabilities: Letters with their probabilities.

    Returns:
        The form, the first of those that fit as well, and the letters that it allows; none where no form fits.
    """
    asked = list(probabilities)
    best: tuple[Form, list[str]] = (FREE, [])
    for form in HELD:
        allowed = [letter for letter, probability in asked if holds(form(letter, probability))]
        if len(allowed) > len(best[1]):
            best = form, allowed
    return best


def cut_in_pieces(form: Form, letter: str, probability: float) -> WrittenReply:
    """Write a reply and cut it into pieces; one of them is the letter, with a blank ahead of it or alone."""
    text = form(letter, probability)
    other = form("B" if letter == "A" else "A", probability)
    at = next(place for place, (mine, theirs) in enumerate(zip(text, other, strict=False)) if mine != theirs)
    pieces, end, letter_at = [], 0, 0
    for place, piece in enumerate(_PIECE.findall(text)):
        pieces.append(piece)
        if end <= at < end + len(piece):
            letter_at = place
        end += len(piece)
    return WrittenReply(tuple(pieces), letter_at)
