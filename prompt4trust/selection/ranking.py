"""The number by which answers are selected: a confidence, and a place among the equally confident ones."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

STEPS = 10_000
"""Confidences are told apart to 4 decimals, as replies show them."""
_PLACES = 1_000_000


def selection_score(confidence: float, tie: float = 0.0) -> float:
    """Compute the number that answers are ranked by: their confidence, and a place among the equally confident.

    Models state few distinct confidences. Without an order among equal ones a threshold takes all of them or none,
    and a promise that nine tenths of them would keep is given for none.

    Args:
        confidence: In [0, 1].
        tie: Place among equally confident answers, in [0, 1); 0 for all where they are to be kept together.

    Returns:
        The confidence in steps of 0.0001, plus the place; in [0, 10001).

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> selection_score(0.85), selection_score(0.85, tie=0.5)
        (8500.0, 8500.5)
    """
    if not (0 <= confidence <= 1 and 0 <= tie < 1):
        raise ValueError(f"confidence must be in [0, 1] and tie in [0, 1), not {confidence} and {tie}")
    return round(confidence * STEPS) + math.floor(tie * _PLACES) / _PLACES


def level_of(score: float) -> float:
    """Take the confidence out of a selection score, to 4 decimals.

    Example:
        >>> level_of(8500.5)
        0.85
    """
    return math.floor(score) / STEPS


def tie_of(parts: Iterable[str], salt: str = "") -> float:
    """Draw a number from what was asked: the same for the same question, and unrelated to what the truth is.

    Args:
        parts: Texts that identify the question: its id, or its wording and picture.
        salt: Makes numbers for different ends independent.

    Returns:
        A number in [0, 1).

    Example:
        >>> round(tie_of(["question 7"]), 4), tie_of(["question 7"]) == tie_of(["question 8"])
        (0.9781, False)
    """
    digest = hashlib.sha256(salt.encode())
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)  # so that no two lists of parts run together
    return int.from_bytes(digest.digest()[:6], "big") / (1 << 48)
