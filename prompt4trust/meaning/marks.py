"""Marks, which two answers must have in common whatever an encoder says: all their words but known ones.

A sentence encoder puts "left effusion" beside "right effusion", and "grade II" beside "grade III": they are about the
same thing. In medicine they are two answers, and who takes them for one is sure of what nobody said. Words that tell
answers apart cannot be listed. Those that do not can: so two answers may differ in these alone.
"""

from __future__ import annotations

from typing import Final

from prompt4trust.meaning.normalised import normalised
from prompt4trust.meaning.synonyms import in_one_name

_FILLERS: Final = frozenset({"is", "are", "was", "were", "there", "it", "seen", "shown", "visible", "noted", "the"})
_SIDES: Final = frozenset({"left", "right"})
_BOUND: Final = frozenset({*_SIDES, "no", "not", "without", "bilateral", "both", "and", "or", "with", "of"})
"""Words behind which "on the left" may be of a part of the answer alone."""


def marks_of(text: str) -> tuple[str, ...]:
    """List the words that no other answer may differ in for the two to be one.

    Left out are words that say nothing ("is", "seen"); "mass of the lung" is written as "lung mass" and "kidney on the
    left" as "left kidney"; and what has several names (`prompt4trust.meaning.synonyms`) has one. All other words,
    numbers and signs are marks, and so is their order.

    Args:
        text: An answer.

    Returns:
        Marks in order; equal ones for answers that differ in nothing that may tell them apart.

    Example:
        >>> marks_of("Mass of the lung") == marks_of("pulmonary mass"), marks_of("grade II") == marks_of("grade III")
        (True, False)
        >>> marks_of("No fracture of the left hip"), marks_of("free of fluid"), marks_of("free fluid")
        (('left', 'hip', 'no', 'fracture'), ('fluid', 'free'), ('free', 'fluid'))
    """
    words = normalised(text).split()
    said = [word for word in words if word not in _FILLERS] or words
    return in_one_name(_side_first(_owner_first(said)))


def _owner_first(words: list[str]) -> list[str]:
    """Write "a of b" as "b a", where both are words alone."""
    if "of" not in words or not all(word.isalpha() and len(word) > 1 for word in words):
        return words
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "of":
            parts.append([])
        else:
            parts[-1].append(word)
    return [word for part in reversed(parts) for word in part] if all(parts) else words


def _side_first(words: list[str]) -> list[str]:
    """Write "a on left side" as "left a"."""
    rest = words[:-1] if words[-1:] == ["side"] else words
    if len(rest) < 3 or rest[-2] != "on" or rest[-1] not in _SIDES or _BOUND.intersection(rest[:-2]):
        return words
    return [rest[-1], *rest[:-2]]
